//! The same elements elsewhere: reshape, transpose, broadcast, slice, pad, concat.

use super::{expect_axis, expect_dtype, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape, element_count};

pub(super) fn infer(op: &Op, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
    let a = operands[0];
    let dtype = a.dtype;
    if dtype == DType::Index && !matches!(op, Op::Reshape(_) | Op::StopGradient) {
        // Indices only select; they stay in the order in which they came.
        expect_dtype(a, DType::Real)?;
    }
    let shape = match op {
        Op::Reshape(shape) => {
            if element_count(shape) != Some(a.len()) {
                return Err(shape_fault(format!(
                    "a shape of {} elements, not {shape:?}",
                    a.len()
                )));
            }
            shape.clone()
        }
        Op::Transpose(permutation) => {
            let mut seen = vec![false; a.shape.len()];
            for &axis in permutation {
                expect_axis(a, axis)?;
                if std::mem::replace(&mut seen[axis], true) {
                    return Err(Fault::Axis { axis });
                }
            }
            if permutation.len() != a.shape.len() {
                return Err(shape_fault("every axis exactly once"));
            }
            permutation.iter().map(|&axis| a.shape[axis]).collect()
        }
        Op::Broadcast(shape) => {
            let fits = shape.len() == a.shape.len()
                && shape
                    .iter()
                    .zip(&a.shape)
                    .all(|(&to, &from)| from == to || from == 1);
            if !fits {
                return Err(shape_fault(format!("axes that are 1 or fit {shape:?}")));
            }
            shape.clone()
        }
        Op::Slice { axis, start, len } => {
            expect_axis(a, *axis)?;
            let end = start.saturating_add(*len);
            if end > a.shape[*axis] {
                return Err(shape_fault(format!(
                    "at least {end} elements on axis {axis}"
                )));
            }
            let mut shape = a.shape.clone();
            shape[*axis] = *len;
            shape
        }
        Op::Pad {
            axis,
            before,
            after,
        } => {
            expect_axis(a, *axis)?;
            expect_dtype(a, DType::Real)?;
            let mut shape = a.shape.clone();
            shape[*axis] = shape[*axis].saturating_add(*before).saturating_add(*after);
            shape
        }
        Op::Concat(axis) => {
            let b = operands[1];
            expect_axis(a, *axis)?;
            expect_dtype(b, dtype)?;
            let fits = a.shape.len() == b.shape.len()
                && (0..a.shape.len()).all(|i| i == *axis || a.shape[i] == b.shape[i]);
            if !fits {
                return Err(shape_fault(format!(
                    "shapes that differ on axis {axis} alone"
                )));
            }
            let mut shape = a.shape.clone();
            shape[*axis] = shape[*axis].saturating_add(b.shape[*axis]);
            shape
        }
        _ => a.shape.clone(),
    };
    Ok((shape, dtype))
}

pub(super) fn concat_jvp(
    graph: &mut Graph,
    node: &Node,
    tangents: &[Option<NodeId>],
) -> Result<Option<NodeId>> {
    let mut parts = [node.operands[0], node.operands[1]];
    for (part, tangent) in parts.iter_mut().zip(tangents) {
        *part = match *tangent {
            Some(tangent) => tangent,
            None => graph.constant_like(0.0, *part)?,
        };
    }
    graph.push(node.op.clone(), &parts).map(Some)
}

pub(super) fn vjp(graph: &mut Graph, node: &Node, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
    let a = node.operands[0];
    let own = graph.shape(a).to_vec();
    let cotangent = match &node.op {
        Op::Reshape(_) => graph.reshape(bar, &own)?,
        Op::Transpose(permutation) => {
            let mut inverse = vec![0; permutation.len()];
            for (place, &axis) in permutation.iter().enumerate() {
                inverse[axis] = place;
            }
            graph.push(Op::Transpose(inverse), &[bar])?
        }
        Op::Broadcast(shape) => {
            let axes = (0..own.len()).filter(|&i| own[i] != shape[i]).collect();
            graph.push(Op::Sum(axes), &[bar])?
        }
        Op::Slice { axis, start, len } => {
            let pad = Op::Pad {
                axis: *axis,
                before: *start,
                after: own[*axis] - start - len,
            };
            graph.push(pad, &[bar])?
        }
        Op::Pad { axis, before, .. } => {
            let slice = Op::Slice {
                axis: *axis,
                start: *before,
                len: own[*axis],
            };
            graph.push(slice, &[bar])?
        }
        Op::Concat(axis) => {
            let b = node.operands[1];
            let mut part = |start: usize, of: NodeId| {
                let slice = Op::Slice {
                    axis: *axis,
                    start,
                    len: graph.shape(of)[*axis],
                };
                graph.push(slice, &[bar])
            };
            let first = part(0, a)?;
            let second = part(own[*axis], b)?;
            return Ok(vec![Some(first), Some(second)]);
        }
        _ => return Ok(vec![None; node.operands.len()]),
    };
    Ok(vec![Some(cotangent)])
}
