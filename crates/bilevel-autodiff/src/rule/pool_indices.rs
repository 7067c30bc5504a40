//! The place of the largest element of each window.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::window::Window;
use super::{Axes, Below, Link, Primitive, Recompute, Site, expect_dtype, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, place};

/// (n, rows, columns, channels) → (n, places, channels): the row-major number of the element, for a gather.
pub(super) struct PoolIndices {
    pub(super) size: [usize; 2],
    pub(super) window: Window,
}

impl Primitive for PoolIndices {
    fn name(&self) -> &'static str {
        "pool_indices"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        expect_dtype(operands[0], DType::Real)?;
        let &[n, h, w, channels] = &operands[0].shape[..] else {
            return Err(shape_fault("pictures (n, rows, columns, channels)"));
        };
        let inside = (0..2).all(|axis| self.window.padding[axis] < self.size[axis]);
        if !inside || self.window.groups != 1 || self.window.dilation != [1, 1] {
            return Err(shape_fault(
                "a window larger than its padding, without dilation and groups",
            ));
        }
        if u32::try_from(h.saturating_mul(w)).is_err() {
            return Err(shape_fault("no more elements than indices"));
        }
        if h == 0 || w == 0 {
            return Err(shape_fault("pictures that are not empty"));
        }
        let [p, q] = self.window.places([h, w], self.size)?;
        Ok((vec![n, p.saturating_mul(q), channels], DType::Index))
    }

    fn jvp(&self, _: &mut Graph, _: Site<'_>, _: &[Option<NodeId>]) -> Result<Option<NodeId>> {
        Ok(None)
    }

    fn vjp(&self, _: &mut Graph, _: Site<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None])
    }

    fn axes(&self, _: &Node, _: &[&Node]) -> Axes {
        Axes::of(vec![vec![Link::Linked(0), Link::Mixed, Link::Linked(3)]])
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let picture = [a.shape[1], a.shape[2]];
        let columns = self.window.places(picture, self.size).map_or(1, |p| p[1]);
        let largest = |at: Vec<usize>| {
            let mut best: Option<(T, usize)> = None;
            for element in 0..self.size[0] * self.size[1] {
                let element = [element / self.size[1], element % self.size[1]];
                let corner = [at[1] / columns, at[1] % columns];
                let Some([i, j]) = self.window.at(picture, corner, element) else {
                    continue;
                };
                let number = value.real()[place(&[at[0], i, j, at[2]], &a.shape)];
                // The first of equal ones; the first NaN.
                let above =
                    best.is_none_or(|(top, _)| !top.is_nan() && (number > top || number.is_nan()));
                if above {
                    best = Some((number, i * picture[1] + j));
                }
            }
            best.map_or(0, |(_, at)| at as u32)
        };
        Ok(Value::Index(all(node).map(largest).collect()))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Never
    }

    fn below(&self, operands: &[&Node]) -> Below {
        Below::This(operands[0].shape[1] * operands[0].shape[2])
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let size = [(); 2].map(|()| 1 + draw.below(3));
    let window = Window {
        stride: [(); 2].map(|()| 1 + draw.below(3)),
        padding: size.map(|size| draw.below(size).min(size / 2)),
        ..Window::default()
    };
    let sides: Vec<usize> = (0..2).map(|axis| size[axis] + draw.below(4)).collect();
    let shape = vec![draw.below(3), sides[0], sides[1], draw.below(4)];
    let op = Op::PoolIndices { size, window };
    Sample::of(op, vec![(shape, Numbers::Distinct)])
}
