//! Random cases of a primitive, for the tests.

use crate::graph::{Op, Shape};

/// A source of random cases.
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

    /// A shape of `least` to `most` axes.
    fn shape(&mut self, least: usize, most: usize) -> Shape {
        let rank = least + self.below(most - least + 1);
        (0..rank).map(|_| self.size()).collect()
    }

    /// 0, …, n − 1 in random order.
    fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }

    /// A random subset of 0, …, n − 1.
    fn subset(&mut self, n: usize) -> Vec<usize> {
        (0..n).filter(|_| self.chance()).collect()
    }
}

/// The elements of an operand, chosen so that the primitive is smooth there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Numbers {
    /// Numbers of both signs.
    Any,
    /// Numbers of both signs, not near 0.
    Away,
    /// Positive numbers, not near 0.
    Positive,
    /// Numbers that are not near each other.
    Distinct,
    /// Numbers that are not near the previous operand.
    Apart,
    /// Signs of numbers.
    Signs,
    /// A mask.
    Mask,
    /// Symmetric matrices with positive eigenvalues.
    Definite,
    /// Matrices whose lower triangle is well conditioned.
    Triangle,
    /// Indices below this number.
    Index(usize),
}

/// A primitive with the shapes and elements of its operands.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// The primitive.
    pub op: Op,
    /// The shape and elements of each operand.
    pub operands: Vec<(Shape, Numbers)>,
}

impl Sample {
    pub(super) fn of(op: Op, operands: Vec<(Shape, Numbers)>) -> Self {
        Self { op, operands }
    }
}
