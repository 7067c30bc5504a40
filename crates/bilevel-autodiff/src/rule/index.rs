//! Rows and classes selected by indices: two pairs, in each of which one is the transposed
//! of the other.

use super::{expect_dtype, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};

pub(super) fn infer(op: &Op, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
    let (a, index) = (operands[0], operands[1]);
    expect_dtype(index, DType::Index)?;
    let shape = match op {
        Op::TakeRows => {
            if a.shape.is_empty() || index.shape.len() != 1 {
                return Err(shape_fault("data with rows and a vector of indices"));
            }
            let mut shape = a.shape.clone();
            shape[0] = index.shape[0];
            shape
        }
        Op::AddRows(rows) => {
            if index.shape.len() != 1 || a.shape.first() != index.shape.first() {
                return Err(shape_fault("one index for each row"));
            }
            let mut shape = a.shape.clone();
            shape[0] = *rows;
            shape
        }
        Op::Pick => {
            if a.shape
                .split_last()
                .is_none_or(|(_, rest)| rest != index.shape)
            {
                return Err(shape_fault("one index for each place but the last axis"));
            }
            index.shape.clone()
        }
        Op::Place(size) => {
            if a.shape != index.shape {
                return Err(shape_fault("one index for each value"));
            }
            let mut shape = a.shape.clone();
            shape.push(*size);
            shape
        }
        _ => a.shape.clone(),
    };
    expect_dtype(a, DType::Real)?;
    Ok((shape, DType::Real))
}

pub(super) fn vjp(graph: &mut Graph, node: &Node, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
    let (a, index) = (node.operands[0], node.operands[1]);
    let own = graph.shape(a);
    let transposed = match node.op {
        Op::TakeRows => Op::AddRows(own[0]),
        Op::AddRows(_) => Op::TakeRows,
        Op::Pick => Op::Place(own[own.len() - 1]),
        _ => Op::Pick,
    };
    Ok(vec![Some(graph.push(transposed, &[bar, index])?), None])
}
