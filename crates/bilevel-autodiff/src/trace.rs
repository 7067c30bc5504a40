//! The user's view: a closure over [`Var`] handles, traced once to a [`Graph`].

mod compose;
mod elementwise;
mod lines;
mod operators;
mod pictures;

use std::cell::RefCell;
use std::panic::Location;

use crate::error::{Error, Fault, Result};
use crate::graph::{Binary, DType, Graph, Lines, NodeId, Op, Shape, Unary};
use crate::rule;

type Place = &'static Location<'static>;

/// Records the operations on its variables. It keeps the first error and ignores the
/// operations that follow from it: nothing panics.
#[derive(Debug, Default)]
pub struct Tracer {
    graph: RefCell<Graph>,
    error: RefCell<Option<Error>>,
}

/// A tensor under trace: a handle that can be copied freely.
///
/// Operators and functions of two tensors broadcast like NumPy: leading axes are added, and
/// axes of size 1 are repeated. Numbers act as scalars. An invalid operation returns a placeholder, and later
/// operations on it do nothing; [`trace`] returns the error with the caller's line.
#[derive(Clone, Copy, Debug)]
pub struct Var<'t> {
    tracer: &'t Tracer,
    /// None after an error.
    id: Option<NodeId>,
}

/// Traces a function of tensors with the given shapes and element types.
///
/// ```
/// use bilevel_autodiff::{DType, trace};
/// let graph = trace(&[(vec![2, 3], DType::Real), (vec![3], DType::Real)], |v| vec![(v[0] * v[1]).sum(&[1]).exp()])?;
/// assert_eq!(graph.shape(graph.outputs[0]), [2, 1]);
/// let error = trace(&[(vec![2, 3], DType::Real), (vec![2], DType::Real)], |v| vec![v[0] + v[1]]).unwrap_err();
/// assert!(error.to_string().starts_with("addition of [2, 3] and [2]"));
/// # Ok::<(), bilevel_autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Operation`]: the first invalid operation.
#[track_caller]
pub fn trace(
    inputs: &[(Shape, DType)],
    function: impl for<'t> FnOnce(&[Var<'t>]) -> Vec<Var<'t>>,
) -> Result<Graph> {
    let tracer = Tracer::default();
    // Loops instead of closures, so that an error has the line of this function's caller.
    let mut variables = Vec::with_capacity(inputs.len());
    for (shape, dtype) in inputs {
        variables.push(tracer.input(shape.clone(), *dtype));
    }
    let mut outputs = function(&variables);
    for output in &mut outputs {
        *output = tracer.own(*output, "output");
    }
    tracer.finish(&outputs)
}

impl Tracer {
    /// Appends an argument of the function.
    #[track_caller]
    pub fn input(&self, shape: Shape, dtype: DType) -> Var<'_> {
        if let Err(fault) = rule::expect_addressable(&shape) {
            return self.fail(Error::Operation {
                operation: "input",
                operands: vec![shape],
                fault,
                location: Some(Location::caller()),
            });
        }
        let id = self.graph.borrow_mut().input(shape, dtype);
        Var {
            tracer: self,
            id: Some(id),
        }
    }

    /// A scalar constant.
    pub fn constant(&self, value: f64) -> Var<'_> {
        let id = self.graph.borrow_mut().constant(value);
        Var {
            tracer: self,
            id: Some(id),
        }
    }

    /// Keeps the error if it is the first, and returns a placeholder; later operations on it do nothing.
    pub(crate) fn fail(&self, error: Error) -> Var<'_> {
        self.error.borrow_mut().get_or_insert(error);
        Var {
            tracer: self,
            id: None,
        }
    }

    /// The handle itself, if it belongs to this trace.
    #[track_caller]
    fn own<'t>(&'t self, var: Var<'_>, operation: &'static str) -> Var<'t> {
        if std::ptr::eq(var.tracer, self) {
            Var {
                tracer: self,
                id: var.id,
            }
        } else {
            self.fail(Error::Operation {
                operation,
                operands: vec![var.shape()],
                fault: Fault::Foreign,
                location: Some(Location::caller()),
            })
        }
    }

    /// The graph with these outputs.
    pub(crate) fn finish(&self, outputs: &[Var<'_>]) -> Result<Graph> {
        if let Some(error) = self.error.borrow_mut().take() {
            return Err(error);
        }
        let mut graph = self.graph.take();
        graph.outputs = outputs.iter().filter_map(|output| output.id).collect();
        Ok(graph)
    }
}

impl<'t> Var<'t> {
    /// The shape; empty for a scalar and after an error.
    #[must_use]
    pub fn shape(self) -> Shape {
        self.id
            .map_or_else(Vec::new, |id| self.tracer.graph.borrow().shape(id).to_vec())
    }

    /// The node; None after an error.
    pub(crate) fn id(self) -> Option<NodeId> {
        self.id
    }

    fn push(self, place: Place, op: Op, others: &[Var<'t>]) -> Self {
        let mut operands = Vec::with_capacity(1 + others.len());
        for var in std::iter::once(&self).chain(others) {
            if !std::ptr::eq(var.tracer, self.tracer) {
                return self.tracer.fail(Error::Operation {
                    operation: op.name(),
                    operands: std::iter::once(&self)
                        .chain(others)
                        .map(|var| var.shape())
                        .collect(),
                    fault: Fault::Foreign,
                    location: Some(place),
                });
            }
            let Some(id) = var.id else {
                return Var {
                    tracer: self.tracer,
                    id: None,
                };
            };
            operands.push(id);
        }
        let pushed = self.tracer.graph.borrow_mut().push(op, &operands);
        match pushed {
            Ok(id) => Var {
                tracer: self.tracer,
                id: Some(id),
            },
            Err(Error::Operation {
                operation,
                operands,
                fault,
                ..
            }) => self.tracer.fail(Error::Operation {
                operation,
                operands,
                fault,
                location: Some(place),
            }),
            Err(error) => self.tracer.fail(error),
        }
    }

    /// All operands, broadcast to their common shape.
    fn broadcast_together(self, place: Place, op: &Op, others: &[Var<'t>]) -> Option<Vec<Var<'t>>> {
        let all: Vec<Var<'t>> = std::iter::once(self)
            .chain(others.iter().copied())
            .collect();
        if all
            .iter()
            .any(|var| var.id.is_none() || !std::ptr::eq(var.tracer, self.tracer))
        {
            return Some(all);
        }
        let shapes: Vec<Shape> = all.iter().map(|var| var.shape()).collect();
        let Some(common) = common_shape(&shapes) else {
            self.tracer.fail(Error::Operation {
                operation: op.name(),
                operands: shapes,
                fault: Fault::Shape {
                    expected: "shapes that are equal or 1 on each axis, counted from the last"
                        .to_owned(),
                },
                location: Some(place),
            });
            return None;
        };
        Some(
            all.into_iter()
                .map(|var| var.expanded(place, &common))
                .collect(),
        )
    }

    fn expanded(self, place: Place, shape: &[usize]) -> Self {
        let own = self.shape();
        let mut var = self;
        if own.len() < shape.len() {
            let mut padded = vec![1; shape.len() - own.len()];
            padded.extend(own);
            var = var.push(place, Op::Reshape(padded), &[]);
        }
        if var.id.is_some() && var.shape() != shape {
            var = var.push(place, Op::Broadcast(shape.to_vec()), &[]);
        }
        var
    }

    fn elementwise(self, place: Place, op: Op, others: &[Var<'t>]) -> Self {
        match self.broadcast_together(place, &op, others) {
            Some(all) => all[0].push(place, op, &all[1..]),
            None => Var {
                tracer: self.tracer,
                id: None,
            },
        }
    }

    #[track_caller]
    fn unary(self, unary: Unary) -> Self {
        self.push(Location::caller(), Op::Unary(unary), &[])
    }

    #[track_caller]
    fn binary(self, binary: Binary, other: Self) -> Self {
        self.elementwise(Location::caller(), Op::Binary(binary), &[other])
    }

    /// A scalar of this trace.
    fn number(self, value: f64) -> Self {
        self.tracer.constant(value)
    }

    /// Any primitive of this operand and `others`, which must have the shapes that it takes.
    #[track_caller]
    #[must_use]
    pub fn apply(self, op: Op, others: &[Self]) -> Self {
        self.push(Location::caller(), op, others)
    }

    /// The same elements in row-major order in another shape.
    #[track_caller]
    #[must_use]
    pub fn reshape(self, shape: &[usize]) -> Self {
        self.push(Location::caller(), Op::Reshape(shape.to_vec()), &[])
    }

    /// Axis i of the result is axis `permutation[i]`.
    #[track_caller]
    #[must_use]
    pub fn transpose(self, permutation: &[usize]) -> Self {
        self.push(Location::caller(), Op::Transpose(permutation.to_vec()), &[])
    }

    /// The transpose of a matrix: swaps the last two axes.
    #[track_caller]
    #[must_use]
    pub fn t(self) -> Self {
        let rank = self.shape().len();
        let mut permutation: Vec<usize> = (0..rank).collect();
        if rank >= 2 {
            permutation.swap(rank - 2, rank - 1);
        }
        self.push(Location::caller(), Op::Transpose(permutation), &[])
    }

    /// Broadcasts to `shape`: adds leading axes and repeats axes of size 1.
    #[track_caller]
    #[must_use]
    pub fn broadcast(self, shape: &[usize]) -> Self {
        let own = self.shape();
        let fits = common_shape(&[own, shape.to_vec()]).is_some_and(|common| common == shape);
        if fits {
            self.expanded(Location::caller(), shape)
        } else {
            // The error shows the original shape of the operand.
            self.push(Location::caller(), Op::Broadcast(shape.to_vec()), &[])
        }
    }

    /// `len` elements of an axis, starting at `start`.
    #[track_caller]
    #[must_use]
    pub fn slice(self, axis: usize, start: usize, len: usize) -> Self {
        self.push(Location::caller(), Op::Slice { axis, start, len }, &[])
    }

    /// Zeros before and after the elements of an axis.
    #[track_caller]
    #[must_use]
    pub fn pad(self, axis: usize, before: usize, after: usize) -> Self {
        let op = Op::Pad {
            axis,
            before,
            after,
        };
        self.push(Location::caller(), op, &[])
    }

    /// `self` and `other`, concatenated along an axis.
    #[track_caller]
    #[must_use]
    pub fn concat(self, axis: usize, other: Self) -> Self {
        self.push(Location::caller(), Op::Concat(axis), &[other])
    }

    /// The sum over these axes, which are kept with size 1.
    #[track_caller]
    #[must_use]
    pub fn sum(self, axes: &[usize]) -> Self {
        self.push(Location::caller(), Op::Sum(axes.to_vec()), &[])
    }

    /// The sum of all elements, a scalar.
    #[track_caller]
    #[must_use]
    pub fn sum_all(self) -> Self {
        let axes: Vec<usize> = (0..self.shape().len()).collect();
        let place = Location::caller();
        self.push(place, Op::Sum(axes), &[])
            .push(place, Op::Reshape(Vec::new()), &[])
    }

    /// The mean of all elements, a scalar; NaN if there are none.
    #[track_caller]
    #[must_use]
    pub fn mean(self) -> Self {
        let count: usize = self.shape().iter().product();
        self.sum_all() * (1.0 / count as f64)
    }

    /// The maximum over these axes, which are kept with size 1. Elements tied for the maximum share
    /// the derivative. NaN if any element is NaN, −∞ if there are none.
    #[track_caller]
    #[must_use]
    pub fn max(self, axes: &[usize]) -> Self {
        self.push(Location::caller(), Op::Max(axes.to_vec()), &[])
    }

    /// The matrix product over the last two axes; leading axes are batches.
    #[track_caller]
    #[must_use]
    pub fn matmul(self, other: Self) -> Self {
        let op = Op::MatMul {
            left: false,
            right: false,
        };
        self.push(Location::caller(), op, &[other])
    }

    /// The rows selected by a vector of indices.
    #[track_caller]
    #[must_use]
    pub fn take_rows(self, index: Self) -> Self {
        self.push(Location::caller(), Op::TakeRows, &[index])
    }

    /// Adds each row to the row of its index in a tensor of `rows` rows of zeros: the transpose of
    /// [`Var::take_rows`].
    #[track_caller]
    #[must_use]
    pub fn add_rows(self, index: Self, rows: usize) -> Self {
        self.push(Location::caller(), Op::AddRows(rows), &[index])
    }

    /// One element of the last axis for each index of the other axes: for example, the entry of
    /// each row's class.
    #[track_caller]
    #[must_use]
    pub fn pick(self, index: Self) -> Self {
        self.push(Location::caller(), Op::Pick, &[index])
    }

    /// A new last axis with each value at the position of its index and zeros elsewhere: the transpose of
    /// [`Var::pick`].
    #[track_caller]
    #[must_use]
    pub fn place(self, index: Self, size: usize) -> Self {
        self.push(Location::caller(), Op::Place(size), &[index])
    }

    /// The same values; every derivative treats them as constants.
    #[track_caller]
    #[must_use]
    pub fn stop_gradient(self) -> Self {
        self.push(Location::caller(), Op::StopGradient, &[])
    }

    /// ln Σ eˣ over an axis, which is kept with size 1, without overflow, also for infinite x. Its second derivatives
    /// have all their digits, also where one x is far above the others.
    #[track_caller]
    #[must_use]
    pub fn log_sum_exp(self, axis: usize) -> Self {
        let op = Op::Lines(Lines::LogSumExp { axis });
        self.push(Location::caller(), op, &[])
    }

    /// The softmax over an axis, whose derivatives have all their digits.
    #[track_caller]
    #[must_use]
    pub fn softmax(self, axis: usize) -> Self {
        let op = Op::Lines(Lines::Softmax { axis });
        self.push(Location::caller(), op, &[])
    }

    /// The cross-entropy: −ln of the softmax probability of each row's class. Shapes (…, c) and indices (…) → (…). A
    /// common offset of a row's logits costs no digits.
    #[track_caller]
    #[must_use]
    pub fn cross_entropy(self, classes: Self) -> Self {
        // First, because this operation reports classes of the wrong shape.
        let picked = self.pick(classes);
        let shape = classes.shape();
        let axis = shape.len();
        // The logits enter only by their distance from the largest one, which is a constant to every derivative: a
        // large common offset costs no digits.
        let top = self.max(&[axis]).stop_gradient();
        let above = self.above(top).log_sum_exp(axis);
        above.reshape(&shape) - picked.above(top.reshape(&shape))
    }

    /// The difference; equal operands are 0 apart, also if they are infinite.
    #[track_caller]
    fn above(self, other: Self) -> Self {
        self.binary(Binary::Above, other)
    }
}

/// The shape to which all of these can be broadcast.
fn common_shape(shapes: &[Shape]) -> Option<Shape> {
    let rank = shapes.iter().map(Vec::len).max().unwrap_or(0);
    (0..rank)
        .map(|axis| {
            let mut size = 1;
            for shape in shapes {
                let Some(own) = (axis + shape.len()).checked_sub(rank).map(|i| shape[i]) else {
                    continue;
                };
                match (size, own) {
                    (_, 1) => {}
                    (1, _) => size = own,
                    _ if size == own => {}
                    _ => return None,
                }
            }
            Some(size)
        })
        .collect()
}
