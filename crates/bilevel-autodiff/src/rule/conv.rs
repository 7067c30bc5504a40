//! Convolutions of pictures: the result, and its two derivatives. Each is linear in both operands, and the derivatives
//! of each are the other two.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::window::Window;
use super::{Axes, Link, Primitive, Recompute, Site, expect_dtype, shape_fault, sum_of};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, place};

/// Which of the three tensors of a convolution is computed from the other two. Pictures have shape (n, rows, columns,
/// channels), kernels (rows, columns, input channels of a group, output channels).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Convolved {
    /// The result, from (picture, kernel). As usual in this field, the kernel is not reversed.
    Result,
    /// The cotangent of a picture of this size, from (the result's cotangent, kernel).
    Picture([usize; 2]),
    /// The cotangent of a kernel of this size, from (picture, the result's cotangent).
    Kernel([usize; 2]),
}

pub(super) struct Conv {
    pub(super) window: Window,
    pub(super) of: Convolved,
}

/// The sizes of a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    pub(crate) pictures: usize,
    pub(crate) picture: [usize; 2],
    pub(crate) channels: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) places: [usize; 2],
    /// Of the result.
    pub(crate) outputs: usize,
    pub(crate) groups: usize,
}

impl Sizes {
    /// Those of a convolution of these operands, if they fit.
    pub(crate) fn of(
        window: &Window,
        of: Convolved,
        a: &[usize],
        b: &[usize],
    ) -> Result<Self, Fault> {
        let ([n, h, w, c], [p, q, r, s]) = (four(a)?, four(b)?);
        let groups = window.groups;
        let (sizes, kernel_inputs, given) = match of {
            Convolved::Result => {
                let sizes = Self {
                    pictures: n,
                    picture: [h, w],
                    channels: c,
                    kernel: [p, q],
                    places: window.places([h, w], [p, q])?,
                    outputs: s,
                    groups,
                };
                (sizes, r, None)
            }
            Convolved::Picture(picture) => {
                let sizes = Self {
                    pictures: n,
                    picture,
                    channels: r.saturating_mul(groups),
                    kernel: [p, q],
                    places: window.places(picture, [p, q])?,
                    outputs: s,
                    groups,
                };
                if c != s {
                    return Err(shape_fault(format!(
                        "as many output channels in the kernel as the cotangent has, found {s} and {c}"
                    )));
                }
                (sizes, r, Some([h, w]))
            }
            Convolved::Kernel(kernel) => {
                let sizes = Self {
                    pictures: n,
                    picture: [h, w],
                    channels: c,
                    kernel,
                    places: window.places([h, w], kernel)?,
                    outputs: s,
                    groups,
                };
                if n != p {
                    return Err(shape_fault(format!(
                        "as many cotangents as pictures, found {p} and {n}"
                    )));
                }
                (sizes, c / groups.max(1), Some([q, r]))
            }
        };
        if groups == 0 || sizes.channels % groups != 0 || sizes.outputs % groups != 0 {
            return Err(shape_fault(format!(
                "channels that {groups} groups share equally, found {} and {}",
                sizes.channels, sizes.outputs
            )));
        }
        if kernel_inputs != sizes.channels / groups {
            return Err(shape_fault(format!(
                "a kernel with {} input channels, found {kernel_inputs}",
                sizes.channels / groups
            )));
        }
        if given.is_some_and(|given| given != sizes.places) {
            return Err(shape_fault(format!(
                "a cotangent of {} × {}",
                sizes.places[0], sizes.places[1]
            )));
        }
        Ok(sizes)
    }

    fn shape(&self, of: Convolved) -> Shape {
        let (n, [h, w], [p, q]) = (self.pictures, self.picture, self.places);
        match of {
            Convolved::Result => vec![n, p, q, self.outputs],
            Convolved::Picture(_) => vec![n, h, w, self.channels],
            Convolved::Kernel([r, s]) => vec![r, s, self.inputs(), self.outputs],
        }
    }

    /// The input channels of a group.
    pub(crate) fn inputs(&self) -> usize {
        self.channels / self.groups.max(1)
    }

    /// Multiplications and additions.
    pub(crate) fn flops(&self) -> f64 {
        let places = self.pictures * self.places[0] * self.places[1];
        2.0 * places as f64
            * (self.kernel[0] * self.kernel[1] * self.inputs() * self.outputs) as f64
    }
}

fn four(shape: &[usize]) -> Result<[usize; 4], Fault> {
    let fault = || {
        shape_fault(
            "pictures (n, rows, columns, channels) and kernels (rows, columns, inputs, outputs)",
        )
    };
    shape.try_into().map_err(|_| fault())
}

impl Conv {
    fn sizes(&self, operands: &[&Node]) -> Result<Sizes, Fault> {
        Sizes::of(
            &self.window,
            self.of,
            &operands[0].shape,
            &operands[1].shape,
        )
    }
}

impl Primitive for Conv {
    fn name(&self) -> &'static str {
        match self.of {
            Convolved::Result => "convolution",
            Convolved::Picture(_) => "convolution's picture cotangent",
            Convolved::Kernel(_) => "convolution's kernel cotangent",
        }
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        expect_dtype(operands[0], DType::Real)?;
        expect_dtype(operands[1], DType::Real)?;
        Ok((self.sizes(operands)?.shape(self.of), DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        let (a, b) = (at.operand(0), at.operand(1));
        let mut of = |a, b| graph.push(at.node.op.clone(), &[a, b]);
        let left = tangents[0].map(|da| of(da, b)).transpose()?;
        let right = tangents[1].map(|db| of(a, db)).transpose()?;
        sum_of(graph, left, right)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let (a, b) = (at.operand(0), at.operand(1));
        let size = |id: NodeId, first: usize| {
            let shape = graph.shape(id);
            [shape[first], shape[first + 1]]
        };
        let (result, picture, kernel) = match self.of {
            Convolved::Result => (None, Some(size(a, 1)), Some(size(b, 0))),
            Convolved::Picture(_) => (Some(()), None, Some(size(b, 0))),
            Convolved::Kernel(_) => (Some(()), Some(size(a, 1)), None),
        };
        let mut of = |of: Convolved, a, b| {
            let window = self.window;
            graph.push(Op::Conv { window, of }, &[a, b]).map(Some)
        };
        Ok(match (result, picture, kernel) {
            (None, Some(picture), Some(kernel)) => vec![
                of(Convolved::Picture(picture), bar, b)?,
                of(Convolved::Kernel(kernel), a, bar)?,
            ],
            (Some(()), None, Some(kernel)) => vec![
                of(Convolved::Result, bar, b)?,
                of(Convolved::Kernel(kernel), bar, a)?,
            ],
            (_, picture, _) => vec![
                of(Convolved::Picture(picture.unwrap_or_default()), b, bar)?,
                of(Convolved::Result, a, bar)?,
            ],
        })
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        let mixed = vec![Link::Mixed; node.shape.len()];
        let mut links = vec![mixed.clone(), mixed];
        match self.of {
            Convolved::Result | Convolved::Picture(_) => {
                links[0][0] = Link::Linked(0);
                links[1][0] = Link::Repeated;
            }
            Convolved::Kernel(_) => {}
        }
        Axes::of(links)
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let (a, b) = (operands[0], operands[1]);
        let Ok(sizes) = self.sizes(&[a.node, b.node]) else {
            return Ok(Value::Real(vec![T::zero(); node.len()]));
        };
        let (inputs, outputs) = (sizes.inputs(), sizes.outputs / sizes.groups.max(1));
        let mut result = vec![T::zero(); node.len()];
        let (a_value, b_value) = (a.value.real(), b.value.real());
        let each = |n: usize, visit: &mut dyn FnMut([usize; 4], [usize; 4], [usize; 4])| {
            for place in 0..sizes.places[0] * sizes.places[1] {
                let at = [place / sizes.places[1], place % sizes.places[1]];
                for element in 0..sizes.kernel[0] * sizes.kernel[1] {
                    let [r, s] = [element / sizes.kernel[1], element % sizes.kernel[1]];
                    let Some([i, j]) = self.window.at(sizes.picture, at, [r, s]) else {
                        continue;
                    };
                    for o in 0..sizes.outputs {
                        for c in 0..inputs {
                            let channel = o / outputs * inputs + c;
                            visit([n, i, j, channel], [r, s, c, o], [n, at[0], at[1], o]);
                        }
                    }
                }
            }
        };
        for n in 0..sizes.pictures {
            each(n, &mut |picture, kernel, out| {
                let (of_a, of_b, to) = match self.of {
                    Convolved::Result => (picture, kernel, out),
                    Convolved::Picture(_) => (out, kernel, picture),
                    Convolved::Kernel(_) => (picture, out, kernel),
                };
                let term =
                    a_value[place(&of_a, &a.node.shape)] * b_value[place(&of_b, &b.node.shape)];
                result[place(&to, &node.shape)] += term;
            });
        }
        Ok(Value::Real(result))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Never
    }
}

/// Any of the three, with all settings.
pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let groups = 1 + draw.below(2);
    let mut pair = |least: usize, more: usize| [(); 2].map(|()| least + draw.below(more));
    let window = Window {
        stride: pair(1, 3),
        padding: pair(0, 3),
        dilation: pair(1, 2),
        groups,
    };
    let (kernel, mut picture) = (pair(1, 3), pair(0, 5));
    for axis in 0..2 {
        let reach = window.dilation[axis] * (kernel[axis] - 1) + 1;
        picture[axis] = picture[axis].max(reach.saturating_sub(2 * window.padding[axis]));
    }
    let [n, inputs, outputs] = [(); 3].map(|()| draw.below(4));
    let (channels, outputs) = (inputs * groups, outputs * groups);
    let places = window.places(picture, kernel).unwrap_or_default();
    let pictures = vec![n, picture[0], picture[1], channels];
    let kernels = vec![kernel[0], kernel[1], inputs, outputs];
    let results = vec![n, places[0], places[1], outputs];
    let (of, a, b) = match draw.below(3) {
        0 => (Convolved::Result, pictures, kernels),
        1 => (Convolved::Picture(picture), results, kernels),
        _ => (Convolved::Kernel(kernel), pictures, results),
    };
    let operands = vec![(a, Numbers::Any), (b, Numbers::Any)];
    Sample::of(Op::Conv { window, of }, operands)
}
