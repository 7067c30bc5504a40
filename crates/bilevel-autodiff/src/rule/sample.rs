//! How the tests draw a random case of a primitive.

use crate::graph::{Op, Shape};

/// Where random cases come from.
pub trait Draw {
    /// One of 0, …, n − 1.
    fn below(&mut self, n: usize) -> usize;

    /// Heads or tails.
    fn chance(&mut self) -> bool {
        self.below(2) == 0
    }

    /// The size of an axis: small, sometimes 0, often 1.
    fn size(&mut self) -> usize {
        [0, 1, 1, 1, 2, 2, 2, 3, 3, 3][self.below(10)]
    }

    /// A shape of at least `least` axes and at most `most`.
    fn shape(&mut self, least: usize, most: usize) -> Shape {
        let rank = least + self.below(most - least + 1);
        (0..rank).map(|_| self.size()).collect()
    }

    /// 0, …, n − 1 in any order.
    fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }

    /// Each of 0, …, n − 1 or not.
    fn subset(&mut self, n: usize) -> Vec<usize> {
        (0..n).filter(|_| self.chance()).collect()
    }
}

/// The elements of an operand, such that the primitive is smooth there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Numbers {
    /// Of both signs.
    Any,
    /// Of both signs, not near 0.
    Away,
    /// Positive, not near 0.
    Positive,
    /// No two of them near each other.
    Distinct,
    /// Nowhere near the operand before.
    Apart,
    /// The signs of numbers.
    Signs,
    /// True or false.
    Mask,
    /// Symmetric matrices with positive eigenvalues.
    Definite,
    /// Matrices whose lower triangle is well conditioned.
    Triangle,
    /// Indices below this.
    Index(usize),
}

/// A primitive with the shapes of its operands and what they hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// The primitive.
    pub op: Op,
    /// Of each operand.
    pub operands: Vec<(Shape, Numbers)>,
}

impl Sample {
    pub(super) fn of(op: Op, operands: Vec<(Shape, Numbers)>) -> Self {
        Self { op, operands }
    }
}
