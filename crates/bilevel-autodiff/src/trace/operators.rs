//! `+ − * /` between tensors, and between tensors and numbers.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Var;
use crate::graph::{Binary, Unary};

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl<'t> $trait for Var<'t> {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: Self) -> Self {
                self.binary(Binary::$trait, other)
            }
        }

        impl<'t> $trait<f64> for Var<'t> {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: f64) -> Self {
                self.binary(Binary::$trait, self.number(other))
            }
        }

        impl<'t> $trait<Var<'t>> for f64 {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: Var<'t>) -> Var<'t> {
                other.number(self).binary(Binary::$trait, other)
            }
        }
    };
}

operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl Neg for Var<'_> {
    type Output = Self;

    #[track_caller]
    fn neg(self) -> Self {
        self.unary(Unary::Neg)
    }
}
