//! Nodes that are not computed: arguments and constants. They state their own shapes.

use bilevel::Scalar;

use super::{Axes, Primitive, Recompute, Site, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Shape};
use crate::rule::value::{Operand, Value};

/// An argument.
pub(super) struct Input;

/// A scalar, stored as the bits of an `f64`.
pub(super) struct Constant(pub(super) u64);

macro_rules! given {
    ($record:ident, $name:literal, |$self:ident| $value:expr) => {
        impl Primitive for $record {
            fn name(&self) -> &'static str {
                $name
            }

            fn arity(&self) -> usize {
                0
            }

            fn infer(&self, _: &[&Node]) -> Result<(Shape, DType), Fault> {
                Err(shape_fault(
                    "an input or a constant, which bring their shapes",
                ))
            }

            fn jvp(
                &self,
                _: &mut Graph,
                _: Site<'_>,
                _: &[Option<NodeId>],
            ) -> Result<Option<NodeId>> {
                Ok(None)
            }

            fn vjp(&self, _: &mut Graph, _: Site<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>> {
                Ok(Vec::new())
            }

            fn axes(&self, _: &Node, _: &[&Node]) -> Axes {
                Axes::default()
            }

            fn define<T: Scalar>(&$self, _: &Node, _: &[Operand<'_, T>]) -> Result<Value<T>> {
                Ok(Value::Real($value))
            }

            fn recompute(&self) -> Recompute {
                Recompute::Cheap
            }
        }
    };
}

// The interpreter reads arguments directly.
given!(Input, "input", |self| Vec::new());
given!(Constant, "constant", |self| vec![T::from_f64(
    f64::from_bits(self.0)
)]);
