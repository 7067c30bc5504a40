//! A list of all primitives that the compiler keeps complete.

use super::sample::{Draw, Sample};
use super::{
    Binary, Compare, Lines, Unary, add_rows, binary, broadcast, compare, concat, conv, matmul, max,
    pad, pick, place, pool_indices, reshape, select, slice, stop_gradient, sum, take_rows,
    transpose, unary,
};
use crate::graph::Op;

macro_rules! kinds {
    ($($kind:ident: $pattern:pat, $sample:path;)*) => {
        /// A primitive without its parameters.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[expect(missing_docs, reason = "the primitives of these names")]
        #[non_exhaustive]
        pub enum Kind {
            Input,
            Constant,
            Unary(Unary),
            Binary(Binary),
            Compare(Compare),
            Lines(Lines),
            $($kind,)*
        }

        impl Kind {
            /// All kinds.
            #[must_use]
            pub fn all() -> Vec<Self> {
                let mut all = vec![Self::Input, Self::Constant, $(Self::$kind,)*];
                all.extend(Unary::ALL.iter().map(|&function| Self::Unary(function)));
                all.extend(Binary::ALL.iter().map(|&function| Self::Binary(function)));
                all.extend(Lines::all().into_iter().map(Self::Lines));
                all.extend(Compare::ALL.iter().map(|&relation| Self::Compare(relation)));
                all
            }

            /// The kind of a primitive. The match is exhaustive: a new primitive does not compile without its line
            /// here.
            #[must_use]
            pub fn of(op: &Op) -> Self {
                match op {
                    Op::Input(_) => Self::Input,
                    Op::Constant(_) => Self::Constant,
                    Op::Unary(function) => Self::Unary(*function),
                    Op::Binary(function) => Self::Binary(*function),
                    Op::Compare(relation) => Self::Compare(*relation),
                    Op::Lines(lines) => Self::Lines(lines.kind()),
                    $($pattern => Self::$kind,)*
                }
            }

            /// A random case, at a point where the primitive is smooth; None if it is not computed.
            pub fn sample(self, draw: &mut dyn Draw) -> Option<Sample> {
                Some(match self {
                    Self::Input | Self::Constant => return None,
                    Self::Unary(function) => unary::sample(function, draw),
                    Self::Binary(function) => binary::sample(function, draw),
                    Self::Compare(relation) => compare::sample(relation, draw),
                    Self::Lines(lines) => return lines.sample(draw, None),
                    $(Self::$kind => $sample(draw),)*
                })
            }
        }
    };
}

kinds! {
    Select: Op::Select, select::sample;
    Reshape: Op::Reshape(_), reshape::sample;
    Transpose: Op::Transpose(_), transpose::sample;
    Broadcast: Op::Broadcast(_), broadcast::sample;
    Slice: Op::Slice { .. }, slice::sample;
    Pad: Op::Pad { .. }, pad::sample;
    Concat: Op::Concat(_), concat::sample;
    Sum: Op::Sum(_), sum::sample;
    Max: Op::Max(_), max::sample;
    TakeRows: Op::TakeRows, take_rows::sample;
    AddRows: Op::AddRows(_), add_rows::sample;
    Pick: Op::Pick, pick::sample;
    Place: Op::Place(_), place::sample;
    MatMul: Op::MatMul { .. }, matmul::sample;
    Conv: Op::Conv { .. }, conv::sample;
    PoolIndices: Op::PoolIndices { .. }, pool_indices::sample;
    StopGradient: Op::StopGradient, stop_gradient::sample;
}
