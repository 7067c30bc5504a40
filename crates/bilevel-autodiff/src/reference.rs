//! A plain interpreter of graphs, one node after the other, each as its definition reads:
//! what the compiled programs are compared with.

use bilevel::Scalar;

use crate::error::{Error, Result};
use crate::graph::{Binary, Compare, DType, Graph, Node, Op, Unary};

/// A tensor's elements in row-major order.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<T> {
    /// Real numbers.
    Real(Vec<T>),
    /// A mask.
    Mask(Vec<bool>),
    /// Indices.
    Index(Vec<u32>),
}

impl<T: Scalar> Value<T> {
    fn len(&self) -> usize {
        match self {
            Self::Real(values) => values.len(),
            Self::Mask(values) => values.len(),
            Self::Index(values) => values.len(),
        }
    }

    fn dtype(&self) -> DType {
        match self {
            Self::Real(_) => DType::Real,
            Self::Mask(_) => DType::Mask,
            Self::Index(_) => DType::Index,
        }
    }

    /// The numbers; none of a mask or of indices.
    #[must_use]
    pub fn real(&self) -> &[T] {
        match self {
            Self::Real(values) => values,
            _ => &[],
        }
    }

    fn mask(&self) -> &[bool] {
        match self {
            Self::Mask(values) => values,
            _ => &[],
        }
    }

    fn index(&self) -> &[u32] {
        match self {
            Self::Index(values) => values,
            _ => &[],
        }
    }

    /// The elements at these places, in this order.
    fn select(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Real(values) => Self::Real(places.map(|i| values[i]).collect()),
            Self::Mask(values) => Self::Mask(places.map(|i| values[i]).collect()),
            Self::Index(values) => Self::Index(places.map(|i| values[i]).collect()),
        }
    }
}

/// The values of all outputs of `graph` for these arguments.
///
/// # Errors
/// [`Error::Length`] for an argument of the wrong kind or length, [`Error::Index`] for an index
/// that is out of range.
pub fn evaluate<T: Scalar>(graph: &Graph, arguments: &[Value<T>]) -> Result<Vec<Value<T>>> {
    let mut values: Vec<Value<T>> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let operands: Vec<(&Node, &Value<T>)> = node
            .operands
            .iter()
            .map(|id| (graph.node(*id), &values[id.index()]))
            .collect();
        let value = match &node.op {
            Op::Input(number) => argument(node, *number, arguments)?,
            op => compute(op, node, &operands)?,
        };
        values.push(value);
    }
    Ok(graph
        .outputs
        .iter()
        .map(|id| values[id.index()].clone())
        .collect())
}

fn argument<T: Scalar>(node: &Node, number: usize, arguments: &[Value<T>]) -> Result<Value<T>> {
    let found = arguments
        .get(number)
        .filter(|argument| argument.dtype() == node.dtype && argument.len() == node.len());
    found.cloned().ok_or_else(|| Error::Length {
        what: format!("argument {number}, {},", node.dtype),
        expected: node.len(),
        found: arguments.get(number).map_or(0, Value::len),
    })
}

/// The coordinates of the element at a place of row-major order.
fn coordinates(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for (at, &size) in at.iter_mut().zip(shape).rev() {
        *at = place % size;
        place /= size;
    }
    at
}

fn place(at: &[usize], shape: &[usize]) -> usize {
    at.iter().zip(shape).fold(0, |place, (&at, &size)| {
        // An axis of size 1 is read at its one element: broadcasting.
        place * size + at.min(size.saturating_sub(1))
    })
}

fn compute<T: Scalar>(op: &Op, node: &Node, operands: &[(&Node, &Value<T>)]) -> Result<Value<T>> {
    let shape = &node.shape;
    let all = || (0..node.len()).map(|i| coordinates(i, shape));
    let real = |operand: usize| operands[operand].1.real();
    Ok(match op {
        Op::Input(_) => Value::Real(Vec::new()),
        Op::Constant(bits) => Value::Real(vec![T::from_f64(f64::from_bits(*bits))]),
        Op::Unary(unary) => Value::Real(real(0).iter().map(|&a| apply(*unary, a)).collect()),
        Op::Binary(binary) => Value::Real(
            real(0)
                .iter()
                .zip(real(1))
                .map(|(&a, &b)| combine(*binary, a, b))
                .collect(),
        ),
        Op::Compare(compare) => Value::Mask(
            real(0)
                .iter()
                .zip(real(1))
                .map(|(a, b)| match compare {
                    Compare::Equal => a == b,
                    Compare::Less => a < b,
                    Compare::LessEqual => a <= b,
                })
                .collect(),
        ),
        Op::Select => Value::Real(
            operands[0]
                .1
                .mask()
                .iter()
                .zip(real(1).iter().zip(real(2)))
                .map(|(&mask, (&a, &b))| if mask { a } else { b })
                .collect(),
        ),
        Op::Reshape(_) | Op::StopGradient => operands[0].1.clone(),
        Op::Transpose(permutation) => {
            let (a, value) = operands[0];
            value.select(all().map(|at| {
                let mut from = vec![0; at.len()];
                for (axis, &of) in permutation.iter().enumerate() {
                    from[of] = at[axis];
                }
                place(&from, &a.shape)
            }))
        }
        Op::Broadcast(_) => {
            let (a, value) = operands[0];
            value.select(all().map(|at| place(&at, &a.shape)))
        }
        Op::Slice { axis, start, .. } => {
            let (a, value) = operands[0];
            value.select(all().map(|mut at| {
                at[*axis] += start;
                place(&at, &a.shape)
            }))
        }
        Op::Pad { axis, before, .. } => {
            let (a, value) = operands[0];
            let inside = *before..before + a.shape[*axis];
            let padded = all().map(|mut at| {
                if inside.contains(&at[*axis]) {
                    at[*axis] -= before;
                    value.real()[place(&at, &a.shape)]
                } else {
                    T::zero()
                }
            });
            Value::Real(padded.collect())
        }
        Op::Concat(axis) => {
            let (a, first) = operands[0];
            let (b, second) = operands[1];
            let split = a.shape[*axis];
            let joined: Vec<(bool, usize)> = all()
                .map(|mut at| {
                    if at[*axis] < split {
                        (true, place(&at, &a.shape))
                    } else {
                        at[*axis] -= split;
                        (false, place(&at, &b.shape))
                    }
                })
                .collect();
            match (first, second) {
                (Value::Real(first), Value::Real(second)) => Value::Real(
                    joined
                        .into_iter()
                        .map(|(in_first, i)| if in_first { first[i] } else { second[i] })
                        .collect(),
                ),
                (Value::Index(first), Value::Index(second)) => Value::Index(
                    joined
                        .into_iter()
                        .map(|(in_first, i)| if in_first { first[i] } else { second[i] })
                        .collect(),
                ),
                _ => Value::Mask(
                    joined
                        .into_iter()
                        .map(|(in_first, i)| {
                            if in_first {
                                first.mask()[i]
                            } else {
                                second.mask()[i]
                            }
                        })
                        .collect(),
                ),
            }
        }
        Op::Sum(_) => reduced(node, operands[0], T::zero(), |sum, a| sum + a),
        Op::Max(_) => reduced(node, operands[0], T::neg_infinity(), |top, a| {
            // A NaN stays one.
            if a > top || a.is_nan() { a } else { top }
        }),
        Op::TakeRows => {
            let (a, value) = operands[0];
            let index = checked(operands[1].1.index(), a.shape[0])?;
            value.select(all().map(|mut at| {
                at[0] = index[at[0]] as usize;
                place(&at, &a.shape)
            }))
        }
        Op::AddRows(rows) => {
            let (a, value) = operands[0];
            let index = checked(operands[1].1.index(), *rows)?;
            let mut sums = vec![T::zero(); node.len()];
            for (i, &v) in value.real().iter().enumerate() {
                let mut at = coordinates(i, &a.shape);
                at[0] = index[at[0]] as usize;
                sums[place(&at, shape)] += v;
            }
            Value::Real(sums)
        }
        Op::Pick => {
            let (a, value) = operands[0];
            let classes = a.shape[a.shape.len() - 1];
            let index = checked(operands[1].1.index(), classes)?;
            let picked = index.iter().enumerate();
            value.select(picked.map(|(i, &class)| i * classes + class as usize))
        }
        Op::Place(size) => {
            let index = checked(operands[1].1.index(), *size)?;
            let mut placed = vec![T::zero(); node.len()];
            for (i, (&class, &v)) in index.iter().zip(real(0)).enumerate() {
                placed[i * size + class as usize] = v;
            }
            Value::Real(placed)
        }
        Op::MatMul { left, right } => {
            let ((a, first), (b, second)) = (operands[0], operands[1]);
            let rank = shape.len();
            let inner = a.shape[if *left { rank - 2 } else { rank - 1 }];
            let product = all().map(|at| {
                let (batch, i, j) = (&at[..rank - 2], at[rank - 2], at[rank - 1]);
                let read = |node: &Node, value: &Value<T>, transposed: bool, i, j| {
                    let mut at = batch.to_vec();
                    at.extend(if transposed { [j, i] } else { [i, j] });
                    value.real()[place(&at, &node.shape)]
                };
                (0..inner)
                    .map(|l| read(a, first, *left, i, l) * read(b, second, *right, l, j))
                    .sum::<T>()
            });
            Value::Real(product.collect())
        }
    })
}

fn checked(index: &[u32], size: usize) -> Result<&[u32]> {
    match index.iter().position(|&i| i as usize >= size) {
        None => Ok(index),
        Some(place) => Err(Error::Index {
            what: "the indices".to_owned(),
            place,
            index: index[place],
            size,
        }),
    }
}

fn reduced<T: Scalar>(
    node: &Node,
    (a, value): (&Node, &Value<T>),
    start: T,
    fold: impl Fn(T, T) -> T,
) -> Value<T> {
    let mut out = vec![start; node.len()];
    for (i, &v) in value.real().iter().enumerate() {
        let to = place(&coordinates(i, &a.shape), &node.shape);
        out[to] = fold(out[to], v);
    }
    Value::Real(out)
}

fn apply<T: Scalar>(unary: Unary, a: T) -> T {
    let one = T::one();
    match unary {
        Unary::Neg => -a,
        Unary::Exp => a.exp(),
        Unary::Ln => a.ln(),
        Unary::Sqrt => a.sqrt(),
        Unary::Recip => a.recip(),
        Unary::Tanh => a.tanh(),
        Unary::Sigmoid => {
            // Neither exponential overflows.
            if a >= T::zero() {
                one / (one + (-a).exp())
            } else {
                let power = a.exp();
                power / (one + power)
            }
        }
        Unary::Softplus => a.max(T::zero()) + (-a.abs()).exp().ln_1p(),
        Unary::Relu => {
            if a > T::zero() || a.is_nan() {
                a
            } else {
                T::zero()
            }
        }
        Unary::Abs => a.abs(),
        Unary::Sign => {
            if a > T::zero() {
                one
            } else if a < T::zero() {
                -one
            } else {
                // Zero, or a NaN.
                a
            }
        }
        Unary::Sin => a.sin(),
        Unary::Cos => a.cos(),
    }
}

fn combine<T: Scalar>(binary: Binary, a: T, b: T) -> T {
    match binary {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        // A NaN stays one.
        Binary::Max => {
            if b <= a || a.is_nan() {
                a
            } else {
                b
            }
        }
        Binary::Min => {
            if a <= b || a.is_nan() {
                a
            } else {
                b
            }
        }
    }
}
