//! Elementwise comparison of two operands of the same shape; the result is a mask.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Primitive, Recompute, Site, expect_dtype, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value};

/// An elementwise comparison of two operands of the same shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the relations of these names")]
#[non_exhaustive]
pub enum Compare {
    Equal,
    Less,
    LessEqual,
}

impl Compare {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Equal, Self::Less, Self::LessEqual];
}

impl Primitive for Compare {
    fn name(&self) -> &'static str {
        "comparison"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let shape = &operands[0].shape;
        if operands.iter().any(|node| node.shape != *shape) {
            return Err(shape_fault("operands of the same shape"));
        }
        for node in operands {
            expect_dtype(node, DType::Real)?;
        }
        Ok((shape.clone(), DType::Mask))
    }

    fn jvp(&self, _: &mut Graph, _: Site<'_>, _: &[Option<NodeId>]) -> Result<Option<NodeId>> {
        Ok(None)
    }

    fn vjp(&self, _: &mut Graph, _: Site<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None; 2])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        Axes::elementwise(node.shape.len(), 2)
    }

    fn define<T: Scalar>(&self, _: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let pairs = operands[0]
            .value
            .real()
            .iter()
            .zip(operands[1].value.real());
        let holds = pairs.map(|(a, b)| match self {
            Self::Equal => a == b,
            Self::Less => a < b,
            Self::LessEqual => a <= b,
        });
        Ok(Value::Mask(holds.collect()))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }
}

/// Operands are signs: locally constant, with ties.
pub(super) fn sample(relation: Compare, draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 4);
    let operands = vec![(shape.clone(), Numbers::Signs), (shape, Numbers::Signs)];
    Sample::of(Op::Compare(relation), operands)
}
