//! Elementwise functions of one number, one entry each.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Binary, Compare, Primitive, Recompute, Site, expect_dtype, fill};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value};

/// An entry: the name, numbers where the function is smooth, the definition, and v · f'(a) for the operand a and the
/// result `out`.
macro_rules! functions {
    ($($function:ident $name:literal on $numbers:ident {
        $define:expr,
        |$graph:ident, $a:tt, $out:tt, $v:tt| $derivative:expr $(,)?
    })*) => {
        /// An elementwise function of one operand.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[expect(missing_docs, reason = "the functions of these names")]
        #[non_exhaustive]
        pub enum Unary {
            $($function,)*
        }

        impl Unary {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$function,)*];

            fn text(self) -> &'static str {
                match self {
                    $(Self::$function => $name,)*
                }
            }

            fn numbers(self) -> Numbers {
                match self {
                    $(Self::$function => Numbers::$numbers,)*
                }
            }

            /// The value of the function.
            fn of<T: Scalar>(self, a: T) -> T {
                match self {
                    $(Self::$function => {
                        let function: fn(T) -> T = $define;
                        function(a)
                    })*
                }
            }

            /// v · f'(a); None if it is zero.
            fn times_derivative(
                self,
                graph: &mut Graph,
                a: NodeId,
                out: NodeId,
                v: NodeId,
            ) -> Result<Option<NodeId>> {
                match self {
                    $(Self::$function => {
                        let derivative: fn(&mut Graph, NodeId, NodeId, NodeId) -> Result<Option<NodeId>> =
                            |$graph, $a, $out, $v| $derivative;
                        derivative(graph, a, out, v)
                    })*
                }
            }
        }
    };
}

functions! {
    Neg "negation" on Any {
        |a| -a,
        |graph, _, _, v| graph.unary(Unary::Neg, v).map(Some),
    }
    Exp "exp" on Any {
        |a| a.exp(),
        |graph, _, out, v| graph.mul(v, out).map(Some),
    }
    Ln "ln" on Positive {
        |a| a.ln(),
        |graph, a, _, v| graph.binary(Binary::Div, v, a).map(Some),
    }
    Sqrt "sqrt" on Positive {
        |a| a.sqrt(),
        |graph, _, out, v| {
            let half = graph.scale(0.5, v)?;
            graph.binary(Binary::Div, half, out).map(Some)
        },
    }
    Recip "recip" on Away {
        |a| a.recip(),
        |graph, _, out, v| {
            let square = graph.mul(out, out)?;
            let derivative = graph.unary(Unary::Neg, square)?;
            graph.mul(v, derivative).map(Some)
        },
    }
    Tanh "tanh" on Any {
        |a| a.tanh(),
        |graph, a, _, v| {
            let derivative = graph.unary(Unary::SechSquared, a)?;
            graph.mul(v, derivative).map(Some)
        },
    }
    // 1 − tanh²(a), the derivative of the hyperbolic tangent, also for large |a|, where tanh²(a) rounds to 1.
    SechSquared "squared hyperbolic secant" on Any {
        |a| {
            let power = (-(a.abs() + a.abs())).exp();
            let one = T::one() + power;
            T::from_f64(4.0) * power / (one * one)
        },
        |graph, a, out, v| {
            let slope = graph.unary(Unary::Tanh, a)?;
            let derivative = graph.mul(out, slope)?;
            let derivative = graph.scale(-2.0, derivative)?;
            graph.mul(v, derivative).map(Some)
        },
    }
    Sigmoid "sigmoid" on Any {
        |a| {
            // Neither exponential overflows.
            if a >= T::zero() {
                T::one() / (T::one() + (-a).exp())
            } else {
                let power = a.exp();
                power / (T::one() + power)
            }
        },
        |graph, a, _, v| {
            // σ(a) (1 − σ(a)) = sech²(a/2)/4, where the left side has no significant digits for large a.
            let half = graph.scale(0.5, a)?;
            let derivative = graph.unary(Unary::SechSquared, half)?;
            let derivative = graph.scale(0.25, derivative)?;
            graph.mul(v, derivative).map(Some)
        },
    }
    Softplus "softplus" on Any {
        |a| a.max(T::zero()) + (-a.abs()).exp().ln_1p(),
        |graph, a, _, v| {
            let derivative = graph.unary(Unary::Sigmoid, a)?;
            graph.mul(v, derivative).map(Some)
        },
    }
    Relu "relu" on Away {
        |a| {
            if a > T::zero() || a.is_nan() {
                a
            } else {
                T::zero()
            }
        },
        |graph, a, out, v| {
            // The derivative at 0 is taken as 0, as usual. It is computed from the result, so that the operand
            // need not be kept.
            let zero = graph.constant_like(0.0, a)?;
            let positive = graph.push(Op::Compare(Compare::Less), &[zero, out])?;
            graph.push(Op::Select, &[positive, v, zero]).map(Some)
        },
    }
    Abs "abs" on Away {
        |a| a.abs(),
        |graph, a, _, v| {
            let derivative = graph.unary(Unary::Sign, a)?;
            graph.mul(v, derivative).map(Some)
        },
    }
    Sign "sign" on Away {
        |a| {
            if a > T::zero() {
                T::one()
            } else if a < T::zero() {
                -T::one()
            } else {
                // Zero or NaN.
                a
            }
        },
        |_graph, _, _, _| Ok(None),
    }
    Sin "sin" on Any {
        |a| a.sin(),
        |graph, a, _, v| {
            let derivative = graph.unary(Unary::Cos, a)?;
            graph.mul(v, derivative).map(Some)
        },
    }
    Cos "cos" on Any {
        |a| a.cos(),
        |graph, a, _, v| {
            let sine = graph.unary(Unary::Sin, a)?;
            let derivative = graph.unary(Unary::Neg, sine)?;
            graph.mul(v, derivative).map(Some)
        },
    }
    Erf "erf" on Any {
        |a| T::from_f64(libm::erf(a.to_double())),
        |graph, a, _, v| bell(graph, a, v, std::f64::consts::FRAC_2_SQRT_PI),
    }
    Erfc "erfc" on Any {
        |a| T::from_f64(libm::erfc(a.to_double())),
        |graph, a, _, v| bell(graph, a, v, -std::f64::consts::FRAC_2_SQRT_PI),
    }
    Log1p "log1p" on Positive {
        |a| a.ln_1p(),
        |graph, a, _, v| {
            let one = graph.constant_like(1.0, a)?;
            let sum = graph.add(one, a)?;
            graph.binary(Binary::Div, v, sum).map(Some)
        },
    }
    Expm1 "expm1" on Any {
        |a| a.exp_m1(),
        |graph, a, _, v| {
            // Not the result plus 1, which has no significant digits if the result is near −1.
            let power = graph.unary(Unary::Exp, a)?;
            graph.mul(v, power).map(Some)
        },
    }
}

/// v · scale · e^(−a²).
fn bell(graph: &mut Graph, a: NodeId, v: NodeId, scale: f64) -> Result<Option<NodeId>> {
    let square = graph.mul(a, a)?;
    let square = graph.unary(Unary::Neg, square)?;
    let bell = graph.unary(Unary::Exp, square)?;
    let derivative = graph.scale(scale, bell)?;
    graph.mul(v, derivative).map(Some)
}

impl Primitive for Unary {
    fn name(&self) -> &'static str {
        self.text()
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        expect_dtype(operands[0], DType::Real)?;
        Ok((operands[0].shape.clone(), DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        match tangents[0] {
            Some(tangent) => self.times_derivative(graph, at.operand(0), at.id, tangent),
            None => Ok(None),
        }
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let cotangent = self.times_derivative(graph, at.operand(0), at.id, bar)?;
        Ok(vec![cotangent])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        Axes::elementwise(node.shape.len(), 1)
    }

    fn define<T: Scalar>(&self, _: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let numbers = operands[0].value.real().iter();
        Ok(Value::Real(numbers.map(|&a| self.of(a)).collect()))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn simpler(&self, new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        if *self != Self::Neg {
            return Ok(None);
        }
        if let Some(value) = new.uniform(operands[0]) {
            return fill(new, -value, &node.shape).map(Some);
        }
        let inner = new.node(operands[0]).clone();
        if inner.op == Op::Unary(Self::Neg) {
            return Ok(Some(inner.operands[0]));
        }
        if inner.op == Op::Binary(Binary::Sub) {
            let (a, b) = (inner.operands[0], inner.operands[1]);
            return new.binary(Binary::Sub, b, a).map(Some);
        }
        Ok(None)
    }
}

pub(super) fn sample(function: Unary, draw: &mut dyn Draw) -> Sample {
    let operand = (draw.shape(0, 4), function.numbers());
    Sample::of(Op::Unary(function), vec![operand])
}
