//! Columns of the data that are zero in every row, such as the border of images: matrix products leave them
//! out, with the same result.
//!
//! A·W = A'·W', where A' has the nonzero columns of A and W' the corresponding rows of W. The graph is
//! rewritten before it is differentiated, so all derivatives follow.

use std::sync::Arc;

use super::roles::Roles;
use super::source::Source;
use crate::error::Result;
use crate::graph::{DType, Graph, NodeId, Op};
use crate::real::Real;

/// The inverse of the smallest fraction of zero columns (1 of 8) that is worth a copy of the other columns.
const WORTH_A_COPY: usize = 8;

/// The nonzero columns of a matrix, if they are few enough to be worth a copy.
pub(super) fn used<T: Real>(values: &[T], shape: &[usize]) -> Option<Arc<[u32]>> {
    let &[rows, columns] = shape else {
        return None;
    };
    if rows == 0 || columns < WORTH_A_COPY {
        return None;
    }
    let mut used = vec![false; columns];
    for row in values.chunks_exact(columns) {
        for (used, value) in used.iter_mut().zip(row) {
            // NaN counts as nonzero.
            *used |= *value != T::zero();
        }
    }
    worth(&used)
}

/// The columns that are used, if they are few enough to be worth a copy.
pub(super) fn worth(used: &[bool]) -> Option<Arc<[u32]>> {
    let columns = used.len();
    if columns < WORTH_A_COPY {
        return None;
    }
    let kept: Arc<[u32]> = (0..columns as u32)
        .filter(|&column| used[column as usize])
        .collect();
    (kept.len() + columns / WORTH_A_COPY <= columns).then_some(kept)
}

/// The function on the compact matrix instead of tensor `number` of the data, with the numbers of the kept
/// columns as a further input; None if the tensor is used for anything except as left operand of products.
pub(super) fn rewrite(source: &Source, number: usize, count: usize) -> Result<Option<Source>> {
    let Source { graph, roles } = source;
    let data = roles.data[number];
    let rows: Vec<NodeId> = graph
        .ids()
        .filter(|&id| {
            let node = graph.node(id);
            node.op == Op::TakeRows && node.operands[0] == data
        })
        .chain([data])
        .collect();
    let only_products = graph.ids().all(|id| {
        let node = graph.node(id);
        let multiplies = matches!(node.op, Op::MatMul { left: false, .. }) && node.shape.len() == 2;
        node.operands.iter().enumerate().all(|(place, operand)| {
            !rows.contains(operand) || rows.contains(&id) || (multiplies && place == 0)
        })
    });
    if !only_products || graph.outputs.iter().any(|id| rows.contains(id)) {
        return Ok(None);
    }
    let mut new = Graph::new();
    let mut placed: Vec<NodeId> = Vec::with_capacity(graph.nodes().len());
    let mut columns = None;
    for (id, node) in graph.ids().zip(graph.nodes()) {
        let operands: Vec<NodeId> = node.operands.iter().map(|id| placed[id.index()]).collect();
        let at = match &node.op {
            Op::Input(_) if id == data => {
                let shape = vec![node.shape[0], count];
                let compact = new.input(shape, DType::Real);
                columns = Some(new.input(vec![count], DType::Index));
                compact
            }
            Op::Input(_) => new.input(node.shape.clone(), node.dtype),
            Op::Constant(bits) => new.constant(f64::from_bits(*bits)),
            Op::MatMul { right, .. } if rows.contains(&node.operands[0]) => {
                let other = if *right {
                    new.push(Op::Transpose(vec![1, 0]), &operands[1..])?
                } else {
                    operands[1]
                };
                let mut taken = vec![other];
                taken.extend(columns);
                let taken = new.push(Op::TakeRows, &taken)?;
                let product = Op::MatMul {
                    left: false,
                    right: false,
                };
                new.push(product, &[operands[0], taken])?
            }
            op => new.push(op.clone(), &operands)?,
        };
        placed.push(at);
    }
    let moved = |ids: &[NodeId]| ids.iter().map(|id| placed[id.index()]).collect::<Vec<_>>();
    let mut all_columns = moved(&roles.columns);
    all_columns.extend(columns);
    new.outputs = moved(&graph.outputs);
    Ok(Some(Source {
        roles: Roles {
            x: moved(&roles.x),
            y: moved(&roles.y),
            data: moved(&roles.data),
            labels: moved(&roles.labels),
            columns: all_columns,
            batch: roles.batch.map(|id| placed[id.index()]),
        },
        graph: new,
    }))
}
