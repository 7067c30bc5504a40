//! Every primitive, in a list that cannot be incomplete.

use bilevel_autodiff::graph::{Binary, Compare, Op, Unary};

macro_rules! kinds {
    ($($kind:ident = $pattern:pat,)*) => {
        /// A primitive without its numbers.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Kind {
            $($kind,)*
        }

        impl Kind {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The match is over all primitives: a new one does not compile without its line here.
            pub(crate) fn of(op: &Op) -> Self {
                match op {
                    $($pattern => Self::$kind,)*
                }
            }
        }
    };
}

kinds! {
    Input = Op::Input(_),
    Constant = Op::Constant(_),
    Neg = Op::Unary(Unary::Neg),
    Exp = Op::Unary(Unary::Exp),
    Ln = Op::Unary(Unary::Ln),
    Sqrt = Op::Unary(Unary::Sqrt),
    Recip = Op::Unary(Unary::Recip),
    Tanh = Op::Unary(Unary::Tanh),
    Sigmoid = Op::Unary(Unary::Sigmoid),
    Softplus = Op::Unary(Unary::Softplus),
    Relu = Op::Unary(Unary::Relu),
    Abs = Op::Unary(Unary::Abs),
    Sign = Op::Unary(Unary::Sign),
    Sin = Op::Unary(Unary::Sin),
    Cos = Op::Unary(Unary::Cos),
    Add = Op::Binary(Binary::Add),
    Sub = Op::Binary(Binary::Sub),
    Mul = Op::Binary(Binary::Mul),
    Div = Op::Binary(Binary::Div),
    Pow = Op::Binary(Binary::Pow),
    Maximum = Op::Binary(Binary::Max),
    Minimum = Op::Binary(Binary::Min),
    Equal = Op::Compare(Compare::Equal),
    Less = Op::Compare(Compare::Less),
    LessEqual = Op::Compare(Compare::LessEqual),
    Select = Op::Select,
    Reshape = Op::Reshape(_),
    Transpose = Op::Transpose(_),
    Broadcast = Op::Broadcast(_),
    Slice = Op::Slice { .. },
    Pad = Op::Pad { .. },
    Concat = Op::Concat(_),
    Sum = Op::Sum(_),
    Max = Op::Max(_),
    TakeRows = Op::TakeRows,
    AddRows = Op::AddRows(_),
    Pick = Op::Pick,
    Place = Op::Place(_),
    MatMul = Op::MatMul { .. },
    StopGradient = Op::StopGradient,
}
