//! The primitives, one record each. Each has a file in `rule/` with everything about it.
//!
//! A derivative is written in primitives, so derivatives of any order are right by
//! construction. `None` means a zero tangent or cotangent.

mod add_rows;
mod axes;
mod binary;
mod broadcast;
mod compare;
mod concat;
mod conv;
mod given;
mod kind;
mod lines;
mod matmul;
mod max;
mod pad;
mod pick;
mod place;
mod pool_indices;
mod reshape;
mod sample;
mod select;
mod slice;
mod stop_gradient;
mod sum;
mod take_rows;
mod transpose;
mod unary;
pub(crate) mod value;
mod window;

use bilevel::Scalar;

pub(crate) use axes::{Axes, Link, Summed, matching_axes};
pub use binary::Binary;
pub use compare::Compare;
pub use conv::Convolved;
pub(crate) use conv::Sizes;
pub use kind::Kind;
pub use lines::Lines;
pub use sample::{Draw, Numbers, Sample};
pub use unary::Unary;
pub use window::Window;

use crate::error::{Error, Fault, Result};
use crate::graph::{DType, Graph, MOST_AXES, Node, NodeId, Op, Shape, element_count};
use crate::rule::value::{Operand, Value};

/// Everything about one primitive. A method has a default only if there is a safe one.
pub(crate) trait Primitive {
    /// The name in messages.
    fn name(&self) -> &'static str;

    /// The number of operands.
    fn arity(&self) -> usize;

    /// The shape and element type of the result.
    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault>;

    /// The tangent of the result from those of the operands, at least one of which is not zero.
    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>>;

    /// The cotangents of the operands from the result's cotangent `bar`.
    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>>;

    /// Which axes of operands and result correspond, and which are summed over.
    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes;

    /// The definition of the result, as plain as possible.
    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>>;

    /// Whether a result that was not kept may be recomputed.
    fn recompute(&self) -> Recompute;

    /// The exclusive upper bound of the indices in the last operand, if it holds indices.
    fn selects(&self, _operands: &[&Node]) -> Option<usize> {
        None
    }

    /// The exclusive upper bound of computed indices. Indices in an argument are checked at the call.
    fn below(&self, _operands: &[&Node]) -> Below {
        Below::Unknown
    }

    /// An equivalent but cheaper node, in a graph that is being rebuilt.
    fn simpler(
        &self,
        _new: &mut Graph,
        _node: &Node,
        _operands: &[NodeId],
    ) -> Result<Option<NodeId>> {
        Ok(None)
    }
}

/// The node to differentiate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) id: NodeId,
    pub(crate) node: &'a Node,
}

impl Site<'_> {
    fn operand(&self, place: usize) -> NodeId {
        self.node.operands[place]
    }
}

/// Whether a result may be recomputed from a tape that does not hold it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recompute {
    /// Yes: it costs about as much as reading its operands.
    Cheap,
    /// No: it is kept.
    Never,
}

/// The exclusive upper bound of the indices of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Below {
    /// The graph does not determine one.
    Unknown,
    /// The same as for the first operand.
    AsOperand,
    /// This number.
    This(usize),
}

macro_rules! with {
    ($record:ident = $value:expr => $run:expr) => {{
        let $record = $value;
        $run
    }};
}
/// Runs an expression with the record of a primitive: the only place that maps primitives to records.
macro_rules! record {
    ($op:expr, $record:ident => $run:expr) => {
        match $op {
            Op::Input(_) => with!($record = given::Input => $run),
            Op::Constant(bits) => with!($record = given::Constant(*bits) => $run),
            Op::Unary(function) => with!($record = *function => $run),
            Op::Binary(function) => with!($record = *function => $run),
            Op::Compare(relation) => with!($record = *relation => $run),
            Op::Select => with!($record = select::Select => $run),
            Op::Reshape(shape) => with!($record = reshape::Reshape(shape) => $run),
            Op::Transpose(axes) => with!($record = transpose::Transpose(axes) => $run),
            Op::Broadcast(shape) => with!($record = broadcast::Broadcast(shape) => $run),
            Op::Slice { axis, start, len } => {
                with!($record = slice::Slice { axis: *axis, start: *start, len: *len } => $run)
            }
            Op::Pad { axis, before, after } => {
                with!($record = pad::Pad { axis: *axis, before: *before, after: *after } => $run)
            }
            Op::Concat(axis) => with!($record = concat::Concat(*axis) => $run),
            Op::Sum(axes) => with!($record = sum::Sum(axes) => $run),
            Op::Max(axes) => with!($record = max::Max(axes) => $run),
            Op::TakeRows => with!($record = take_rows::TakeRows => $run),
            Op::AddRows(rows) => with!($record = add_rows::AddRows(*rows) => $run),
            Op::Pick => with!($record = pick::Pick => $run),
            Op::Place(size) => with!($record = place::Place(*size) => $run),
            Op::MatMul { left, right } => {
                with!($record = matmul::MatMul { left: *left, right: *right } => $run)
            }
            Op::Conv { window, of } => {
                with!($record = conv::Conv { window: *window, of: *of } => $run)
            }
            Op::PoolIndices { size, window } => {
                with!($record = pool_indices::PoolIndices { size: *size, window: *window } => $run)
            }
            Op::Lines(lines) => with!($record = *lines => $run),
            Op::StopGradient => with!($record = stop_gradient::StopGradient => $run),
        }
    };
}

impl Op {
    /// The name in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        record!(self, record => record.name())
    }
}

/// The shape and element type of the result.
pub(crate) fn infer(op: &Op, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
    record!(op, record => {
        let count = record.arity();
        if operands.len() != count {
            return Err(shape_fault(format!("{count} operands")));
        }
        let (shape, dtype) = record.infer(operands)?;
        expect_addressable(&shape)?;
        Ok((shape, dtype))
    })
}

/// The tangent of node `id` from those of its operands.
pub(crate) fn jvp(
    graph: &mut Graph,
    id: NodeId,
    tangents: &[Option<NodeId>],
) -> Result<Option<NodeId>> {
    if tangents.iter().all(Option::is_none) {
        return Ok(None);
    }
    let node = graph.node(id).clone();
    let at = Site { id, node: &node };
    record!(&node.op, record => record.jvp(graph, at, tangents))
}

/// The cotangents of the operands of node `id` from its own cotangent `bar`.
pub(crate) fn vjp(graph: &mut Graph, id: NodeId, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
    let node = graph.node(id).clone();
    let at = Site { id, node: &node };
    record!(&node.op, record => record.vjp(graph, at, bar))
}

/// How the axes of a node and its operands correspond.
pub(crate) fn axes(graph: &Graph, node: &Node) -> Axes {
    record!(&node.op, record => record.axes(node, &operands(graph, node)))
}

/// The value of a node that is valid and not an input.
pub(crate) fn define<T: Scalar>(node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
    record!(&node.op, record => record.define(node, operands))
}

pub(crate) fn recompute(op: &Op) -> Recompute {
    record!(op, record => record.recompute())
}

/// The exclusive upper bound of the indices in the last operand of a node, if it holds indices.
pub(crate) fn selects(op: &Op, operands: &[&Node]) -> Option<usize> {
    record!(op, record => record.selects(operands))
}

/// The exclusive upper bound of the indices of a node.
pub(crate) fn below(graph: &Graph, node: &Node) -> Below {
    record!(&node.op, record => record.below(&operands(graph, node)))
}

/// A simpler equivalent of this node with these operands, if there is one.
pub(crate) fn simpler(new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
    record!(&node.op, record => record.simpler(new, node, operands))
}

fn operands<'g>(graph: &'g Graph, node: &Node) -> Vec<&'g Node> {
    node.operands.iter().map(|&id| graph.node(id)).collect()
}

/// The tangent of a primitive that is linear in its first operand; the second, if any, holds indices.
fn linear(graph: &mut Graph, at: Site<'_>, tangents: &[Option<NodeId>]) -> Result<Option<NodeId>> {
    let Some(tangent) = tangents[0] else {
        return Ok(None);
    };
    let mut operands = at.node.operands.clone();
    operands[0] = tangent;
    graph.push(at.node.op.clone(), &operands).map(Some)
}

/// Fails if a tensor has more axes than the kernels support, or more elements than memory can address.
pub(crate) fn expect_addressable(shape: &[usize]) -> Result<(), Fault> {
    match element_count(shape) {
        Some(_) if shape.len() > MOST_AXES => Err(shape_fault(format!(
            "at most {MOST_AXES} axes, found a shape {shape:?}"
        ))),
        Some(_) => Ok(()),
        None => Err(shape_fault(format!(
            "no more elements than can be addressed, found a shape {shape:?}"
        ))),
    }
}

/// Fails unless the node has the element type `expected`.
fn expect_dtype(node: &Node, expected: DType) -> Result<(), Fault> {
    if node.dtype == expected {
        Ok(())
    } else {
        Err(Fault::DType {
            expected,
            found: node.dtype,
        })
    }
}

/// Fails for indices: they are only used to select, and their order never changes.
fn expect_no_indices(node: &Node) -> Result<(), Fault> {
    match node.dtype {
        DType::Index => expect_dtype(node, DType::Real),
        DType::Real | DType::Mask => Ok(()),
    }
}

/// Fails unless the node has this axis.
fn expect_axis(node: &Node, axis: usize) -> Result<(), Fault> {
    if axis < node.shape.len() {
        Ok(())
    } else {
        Err(Fault::Axis { axis })
    }
}

/// The shape with size 1 for these axes; each may be given only once.
fn reduced(a: &Node, axes: &[usize]) -> Result<Shape, Fault> {
    let mut shape = a.shape.clone();
    for (place, &axis) in axes.iter().enumerate() {
        expect_axis(a, axis)?;
        if axes[..place].contains(&axis) {
            return Err(Fault::Axis { axis });
        }
        shape[axis] = 1;
    }
    Ok(shape)
}

fn shape_fault(expected: impl Into<String>) -> Fault {
    Fault::Shape {
        expected: expected.into(),
    }
}

/// The indices, if all are below `size`.
fn checked(index: &[u32], size: usize) -> Result<&[u32]> {
    match index.iter().position(|&i| i as usize >= size) {
        None => Ok(index),
        Some(place) => Err(Error::Index {
            what: "the indices".to_owned(),
            place,
            index: index[place],
            size,
        }),
    }
}

/// `value` in every element, in this shape.
fn fill(graph: &mut Graph, value: f64, shape: &[usize]) -> Result<NodeId> {
    let scalar = graph.constant(value);
    graph.expand(scalar, shape)
}

/// a + b; None means zero.
pub(crate) fn sum_of(
    graph: &mut Graph,
    a: Option<NodeId>,
    b: Option<NodeId>,
) -> Result<Option<NodeId>> {
    match (a, b) {
        (Some(a), Some(b)) => graph.add(a, b).map(Some),
        (one, None) | (None, one) => Ok(one),
    }
}
