//! Elementwise functions of two numbers, one entry each.

mod simpler;

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Compare, Primitive, Recompute, Site, Unary, expect_dtype, shape_fault, sum_of};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value};

/// The building blocks of a function's derivatives: its operands and its result.
#[derive(Clone, Copy)]
struct Of {
    a: NodeId,
    b: NodeId,
    out: NodeId,
}

/// An entry: the name, numbers of both operands where the function is smooth, the definition, and v · ∂f/∂a and
/// v · ∂f/∂b.
macro_rules! functions {
    ($($function:ident $name:literal on $first:ident, $second:ident {
        $define:expr,
        |$graph:ident, $of:tt, $v:tt| $by_first:expr,
        |$graph2:ident, $of2:tt, $v2:tt| $by_second:expr $(,)?
    })*) => {
        /// An elementwise function of two operands of the same shape.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[expect(missing_docs, reason = "the functions of these names")]
        #[non_exhaustive]
        pub enum Binary {
            $($function,)*
        }

        impl Binary {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$function,)*];

            fn text(self) -> &'static str {
                match self {
                    $(Self::$function => $name,)*
                }
            }

            fn numbers(self) -> [Numbers; 2] {
                match self {
                    $(Self::$function => [Numbers::$first, Numbers::$second],)*
                }
            }

            /// The value of the function.
            fn of<T: Scalar>(self, a: T, b: T) -> T {
                match self {
                    $(Self::$function => {
                        let function: fn(T, T) -> T = $define;
                        function(a, b)
                    })*
                }
            }

            /// v · ∂f/∂a or v · ∂f/∂b; None if it is zero.
            fn times_derivative(
                self,
                graph: &mut Graph,
                of: Of,
                place: usize,
                v: NodeId,
            ) -> Result<Option<NodeId>> {
                type Derivative = fn(&mut Graph, Of, NodeId) -> Result<Option<NodeId>>;
                let derivatives: [Derivative; 2] = match self {
                    $(Self::$function => [|$graph, $of, $v| $by_first, |$graph2, $of2, $v2| $by_second],)*
                };
                derivatives[place](graph, of, v)
            }
        }
    };
}

functions! {
    Add "addition" on Any, Any {
        |a, b| a + b,
        |_graph, _, v| Ok(Some(v)),
        |_graph, _, v| Ok(Some(v)),
    }
    Sub "subtraction" on Any, Any {
        |a, b| a - b,
        |_graph, _, v| Ok(Some(v)),
        |graph, _, v| graph.unary(Unary::Neg, v).map(Some),
    }
    // The difference, where equal operands are 0 apart also if they are infinite.
    Above "difference from a maximum" on Any, Any {
        |a, b| if a == b { T::zero() } else { a - b },
        |_graph, _, v| Ok(Some(v)),
        |graph, _, v| graph.unary(Unary::Neg, v).map(Some),
    }
    Mul "multiplication" on Any, Any {
        |a, b| a * b,
        |graph, of, v| graph.mul(v, of.b).map(Some),
        |graph, of, v| graph.mul(v, of.a).map(Some),
    }
    Div "division" on Any, Away {
        |a, b| a / b,
        |graph, of, v| graph.binary(Binary::Div, v, of.b).map(Some),
        |graph, of, v| {
            let ratio = graph.binary(Binary::Div, of.out, of.b)?;
            let ratio = graph.unary(Unary::Neg, ratio)?;
            graph.mul(v, ratio).map(Some)
        },
    }
    Pow "power" on Positive, Any {
        |a, b| a.powf(b),
        |graph, of, v| by_base(graph, of, v),
        |graph, of, v| {
            if graph.uniform(of.b).is_some() {
                return Ok(None);
            }
            // 0 at a = 0, where the logarithm is infinite.
            let (zero, one) = (graph.constant_like(0.0, of.a)?, graph.constant_like(1.0, of.a)?);
            let at_zero = graph.push(Op::Compare(Compare::Equal), &[of.a, zero])?;
            let base = graph.push(Op::Select, &[at_zero, one, of.a])?;
            let ln = graph.unary(Unary::Ln, base)?;
            let partial = graph.mul(of.out, ln)?;
            graph.mul(v, partial).map(Some)
        },
    }
    // NaN stays NaN.
    Max "maximum" on Any, Apart {
        |a, b| if b <= a || a.is_nan() { a } else { b },
        |graph, of, v| where_less(graph, [of.b, of.a], v),
        |graph, of, v| where_less(graph, [of.a, of.b], v),
    }
    Min "minimum" on Any, Apart {
        |a, b| if a <= b || a.is_nan() { a } else { b },
        |graph, of, v| where_less(graph, [of.a, of.b], v),
        |graph, of, v| where_less(graph, [of.b, of.a], v),
    }
    Atan2 "atan2" on Away, Away {
        |a, b| a.atan2(b),
        |graph, of, v| over_square(graph, of, v, of.b),
        |graph, of, v| {
            let v = graph.unary(Unary::Neg, v)?;
            over_square(graph, of, v, of.a)
        },
    }
}

/// v · b·aᵇ⁻¹.
fn by_base(graph: &mut Graph, of: Of, v: NodeId) -> Result<Option<NodeId>> {
    let Of { a, b, .. } = of;
    match graph.uniform(b) {
        // Steps down to a constant: with only b·aᵇ⁻¹, the result at a = 0 would be 0·0⁻¹ after a few derivatives.
        Some(0.0) => Ok(None),
        Some(1.0) => Ok(Some(v)),
        Some(exponent) => {
            let power = if exponent == 2.0 {
                a
            } else {
                let less = graph.constant_like(exponent - 1.0, a)?;
                graph.binary(Binary::Pow, a, less)?
            };
            let partial = graph.scale(exponent, power)?;
            graph.mul(v, partial).map(Some)
        }
        None => {
            let one = graph.constant_like(1.0, b)?;
            let less = graph.binary(Binary::Sub, b, one)?;
            let power = graph.binary(Binary::Pow, a, less)?;
            let partial = graph.mul(b, power)?;
            // 0 at b = 0, where a⁻¹ may be infinite.
            let zero = graph.constant_like(0.0, b)?;
            let constant = graph.push(Op::Compare(Compare::Equal), &[b, zero])?;
            let partial = graph.push(Op::Select, &[constant, zero, partial])?;
            graph.mul(v, partial).map(Some)
        }
    }
}

/// v where small < large, v/2 where they are equal, else 0: the derivative is shared by equal values, as in the
/// maximum over an axis.
fn where_less(graph: &mut Graph, [small, large]: [NodeId; 2], v: NodeId) -> Result<Option<NodeId>> {
    let zero = graph.constant_like(0.0, v)?;
    let half = graph.scale(0.5, v)?;
    let equal = graph.push(Op::Compare(Compare::Equal), &[small, large])?;
    let shared = graph.push(Op::Select, &[equal, half, zero])?;
    let less = graph.push(Op::Compare(Compare::Less), &[small, large])?;
    graph.push(Op::Select, &[less, v, shared]).map(Some)
}

/// v · c / (a² + b²).
fn over_square(graph: &mut Graph, of: Of, v: NodeId, c: NodeId) -> Result<Option<NodeId>> {
    let (a, b) = (graph.mul(of.a, of.a)?, graph.mul(of.b, of.b)?);
    let square = graph.add(a, b)?;
    let partial = graph.binary(Binary::Div, c, square)?;
    graph.mul(v, partial).map(Some)
}

impl Primitive for Binary {
    fn name(&self) -> &'static str {
        self.text()
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
        Ok((shape.clone(), DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        let mut sum = None;
        for (place, tangent) in tangents.iter().enumerate() {
            if let Some(tangent) = *tangent {
                let term = self.times_derivative(graph, of(at), place, tangent)?;
                sum = sum_of(graph, sum, term)?;
            }
        }
        Ok(sum)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        (0..2)
            .map(|place| self.times_derivative(graph, of(at), place, bar))
            .collect()
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        Axes::elementwise(node.shape.len(), 2)
    }

    fn define<T: Scalar>(&self, _: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let (first, second) = (operands[0].value.real(), operands[1].value.real());
        let pairs = first.iter().zip(second);
        Ok(Value::Real(pairs.map(|(&a, &b)| self.of(a, b)).collect()))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn simpler(&self, new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        simpler::simpler(new, *self, [operands[0], operands[1]], &node.shape)
    }
}

fn of(at: Site<'_>) -> Of {
    Of {
        a: at.operand(0),
        b: at.operand(1),
        out: at.id,
    }
}

pub(super) fn sample(function: Binary, draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 4);
    let operands = function.numbers().map(|numbers| (shape.clone(), numbers));
    Sample::of(Op::Binary(function), operands.to_vec())
}
