//! The form of a traced function: primitives in order, each with a static shape.

use std::fmt;

use crate::error::{Error, Fault, Result};
use crate::rule::{self, Below};
pub use crate::rule::{Binary, Compare, Convolved, Lines, Unary, Window};

/// The sizes of the axes of a tensor, outermost first; empty for a scalar.
pub type Shape = Vec<usize>;

/// The largest number of axes of a tensor: kernels walk them without allocating.
pub(crate) const MOST_AXES: usize = 12;

/// The number of elements of a tensor of this shape; None if it cannot be addressed. Axes of size 0 do not make up for
/// huge ones, because a sum over the huge ones is possible.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    let most = isize::MAX as usize / size_of::<f64>();
    let others = shape.iter().filter(|&&size| size > 0);
    let count = others.fold(1, |count: usize, &size| count.saturating_mul(size));
    (count <= most).then(|| if shape.contains(&0) { 0 } else { count })
}

/// The number of a node in its graph. Operands come before the nodes that use them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(u32);

impl NodeId {
    pub(crate) fn new(index: usize) -> Self {
        Self(index as u32)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The element type of a tensor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DType {
    /// Real numbers, `f32` or `f64`, depending on the compiled program.
    Real,
    /// Booleans, from a comparison.
    Mask,
    /// Non-negative integers that select rows or classes.
    Index,
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "real numbers",
            Self::Mask => "a mask",
            Self::Index => "indices",
        })
    }
}

/// A primitive. The set is closed under differentiation: every derivative in `rule/` is written in these
/// primitives.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Op {
    /// The argument of this number.
    Input(usize),
    /// A scalar, stored as the bits of an `f64`.
    Constant(u64),
    /// A function of one operand, element by element.
    Unary(Unary),
    /// A function of two operands of the same shape, element by element.
    Binary(Binary),
    /// A comparison of two operands of the same shape, element by element; the result is a mask.
    Compare(Compare),
    /// (mask, a, b): a where the mask is true, else b.
    Select,
    /// The same elements in row-major order in another shape.
    Reshape(Shape),
    /// Axis i of the result is axis `perm[i]` of the operand.
    Transpose(Vec<usize>),
    /// Axes of size 1 are repeated to reach this shape, which has the same rank.
    Broadcast(Shape),
    /// `len` elements of an axis, starting at `start`.
    Slice {
        /// The axis.
        axis: usize,
        /// The first element.
        start: usize,
        /// The number of elements.
        len: usize,
    },
    /// Zeros before and after the elements of an axis.
    Pad {
        /// The axis.
        axis: usize,
        /// The number of zeros before.
        before: usize,
        /// The number of zeros after.
        after: usize,
    },
    /// Two operands one after the other along an axis.
    Concat(usize),
    /// The sum over these axes, which are kept with size 1.
    Sum(Vec<usize>),
    /// The maximum over these axes, which are kept with size 1; −∞ if there are no elements.
    Max(Vec<usize>),
    /// (data, index): row i of the result is row `index[i]` of data. Shapes (n, …), (b) → (b, …).
    TakeRows,
    /// (rows, index): adds row i to row `index[i]` of a tensor of zeros with this number n of rows. Shapes (b, …), (b)
    /// → (n, …).
    AddRows(usize),
    /// (data, index): element `index[…]` of the last axis. Shapes (…, c), (…) → (…).
    Pick,
    /// (value, index): a new last axis of this size c, with the value at position `index[…]` and zeros elsewhere.
    /// Shapes (…), (…) → (…, c).
    Place(usize),
    /// a·b over the last two axes, each operand optionally transposed; the leading axes are
    /// batches and equal in both.
    MatMul {
        /// Whether the left operand is transposed.
        left: bool,
        /// Whether the right operand is transposed.
        right: bool,
    },
    /// Two of the three tensors of a convolution; the result is the third.
    Conv {
        /// How the kernel moves.
        window: Window,
        /// The tensor that is computed.
        of: Convolved,
    },
    /// The place of the largest element of each window, of each channel: (n, rows, columns, channels) → indices (n,
    /// places, channels) of elements in row-major order. The first of equal ones.
    PoolIndices {
        /// Rows and columns of the window.
        size: [usize; 2],
        /// How it moves: without dilation and groups.
        window: Window,
    },
    /// A function along some axes, for each index of the other axes.
    Lines(Lines),
    /// The operand itself; every derivative treats it as a constant.
    StopGradient,
}

impl Op {
    /// Whether every element of the result depends only on the same element of each operand.
    #[must_use]
    pub fn is_elementwise(&self) -> bool {
        matches!(
            self,
            Self::Unary(_) | Self::Binary(_) | Self::Compare(_) | Self::Select
        )
    }
}

/// A primitive with its operands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// The primitive.
    pub op: Op,
    /// Its operands.
    pub operands: Vec<NodeId>,
    /// The shape of the result.
    pub shape: Shape,
    /// The element type of the result.
    pub dtype: DType,
}

impl Node {
    /// The number of elements of the result.
    #[must_use]
    pub fn len(&self) -> usize {
        let sizes = self.shape.iter();
        sizes.fold(1, |count: usize, &size| count.saturating_mul(size))
    }

    /// Whether the result is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A function from tensors to tensors: primitives in topological order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    inputs: Vec<NodeId>,
    /// The results of the function.
    pub outputs: Vec<NodeId>,
}

impl Graph {
    /// A graph without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All nodes, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The numbers of all nodes, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(NodeId::new)
    }

    /// The node with this number.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The shape of a node.
    #[must_use]
    pub fn shape(&self, id: NodeId) -> &[usize] {
        &self.node(id).shape
    }

    /// The inputs, in the order of the arguments.
    #[must_use]
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// Appends an argument.
    pub fn input(&mut self, shape: Shape, dtype: DType) -> NodeId {
        let id = NodeId::new(self.nodes.len());
        self.nodes.push(Node {
            op: Op::Input(self.inputs.len()),
            operands: Vec::new(),
            shape,
            dtype,
        });
        self.inputs.push(id);
        id
    }

    /// Appends the scalar `value`.
    pub fn constant(&mut self, value: f64) -> NodeId {
        let id = NodeId::new(self.nodes.len());
        self.nodes.push(Node {
            op: Op::Constant(value.to_bits()),
            operands: Vec::new(),
            shape: Vec::new(),
            dtype: DType::Real,
        });
        id
    }

    /// Appends a node.
    ///
    /// # Errors
    /// [`Error::Operation`] if the operands are not valid for this primitive.
    pub fn push(&mut self, op: Op, operands: &[NodeId]) -> Result<NodeId> {
        let nodes: Vec<&Node> = operands
            .iter()
            .filter_map(|&id| self.nodes.get(id.index()))
            .collect();
        let inferred = if nodes.len() == operands.len() {
            rule::infer(&op, &nodes).and_then(|inferred| {
                self.expect_indices(&op, &nodes, operands)?;
                Ok(inferred)
            })
        } else {
            Err(Fault::Foreign)
        };
        let (shape, dtype) = inferred.map_err(|fault| Error::Operation {
            operation: op.name(),
            operands: nodes.iter().map(|node| node.shape.clone()).collect(),
            fault,
            location: None,
        })?;
        let id = NodeId::new(self.nodes.len());
        self.nodes.push(Node {
            op,
            operands: operands.to_vec(),
            shape,
            dtype,
        });
        Ok(id)
    }

    /// Fails if computed indices may be too large. Indices in an argument are checked at the call.
    fn expect_indices(&self, op: &Op, nodes: &[&Node], operands: &[NodeId]) -> Result<(), Fault> {
        let (Some(size), Some(&index)) = (rule::selects(op, nodes), operands.last()) else {
            return Ok(());
        };
        match self.below(index) {
            Some(most) if most > size && !self.node(index).is_empty() => Err(Fault::Shape {
                expected: format!("indices below {size}, found those of an axis of {most}"),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// An exclusive upper bound of the indices of a node, if the graph determines one.
    fn below(&self, id: NodeId) -> Option<usize> {
        let node = self.node(id);
        match rule::below(self, node) {
            Below::Unknown => None,
            Below::AsOperand => self.below(node.operands[0]),
            Below::This(size) => Some(size),
        }
    }

    /// `value` in every element, in the shape of `like`.
    pub(crate) fn constant_like(&mut self, value: f64, like: NodeId) -> Result<NodeId> {
        let scalar = self.constant(value);
        let shape = self.shape(like).to_vec();
        self.expand(scalar, &shape)
    }

    /// Broadcasts `id` to `shape` like NumPy: adds leading axes and repeats axes of size 1.
    pub(crate) fn expand(&mut self, id: NodeId, shape: &[usize]) -> Result<NodeId> {
        let own = self.shape(id);
        if own == shape {
            return Ok(id);
        }
        let id = if own.len() < shape.len() {
            let mut padded = vec![1; shape.len() - own.len()];
            padded.extend_from_slice(own);
            self.push(Op::Reshape(padded), &[id])?
        } else {
            id
        };
        if self.shape(id) == shape {
            Ok(id)
        } else {
            self.push(Op::Broadcast(shape.to_vec()), &[id])
        }
    }

    /// The common value of all elements of the node, if the graph determines one.
    pub(crate) fn uniform(&self, id: NodeId) -> Option<f64> {
        let node = self.node(id);
        if let Op::Constant(bits) = node.op {
            return Some(f64::from_bits(bits));
        }
        let same = matches!(node.op, Op::Broadcast(_) | Op::Reshape(_));
        same.then(|| self.uniform(node.operands[0])).flatten()
    }

    pub(crate) fn unary(&mut self, unary: Unary, a: NodeId) -> Result<NodeId> {
        self.push(Op::Unary(unary), &[a])
    }

    pub(crate) fn binary(&mut self, binary: Binary, a: NodeId, b: NodeId) -> Result<NodeId> {
        self.push(Op::Binary(binary), &[a, b])
    }

    pub(crate) fn add(&mut self, a: NodeId, b: NodeId) -> Result<NodeId> {
        self.binary(Binary::Add, a, b)
    }

    pub(crate) fn mul(&mut self, a: NodeId, b: NodeId) -> Result<NodeId> {
        self.binary(Binary::Mul, a, b)
    }

    /// `value · a`.
    pub(crate) fn scale(&mut self, value: f64, a: NodeId) -> Result<NodeId> {
        let value = self.constant_like(value, a)?;
        self.mul(value, a)
    }

    pub(crate) fn reshape(&mut self, a: NodeId, shape: &[usize]) -> Result<NodeId> {
        if self.shape(a) == shape {
            return Ok(a);
        }
        self.push(Op::Reshape(shape.to_vec()), &[a])
    }

    /// For each node, whether it depends on one of `on` (true for those themselves).
    #[must_use]
    pub fn depends_on(&self, on: &[NodeId]) -> Vec<bool> {
        let mut depends = vec![false; self.nodes.len()];
        for &id in on {
            depends[id.index()] = true;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if node.operands.iter().any(|id| depends[id.index()]) {
                depends[index] = true;
            }
        }
        depends
    }

    /// For each node, whether one of `roots` needs it (true for those themselves).
    #[must_use]
    pub fn needed_for(&self, roots: &[NodeId]) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        for &id in roots {
            needed[id.index()] = true;
        }
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if needed[index] {
                for id in &node.operands {
                    needed[id.index()] = true;
                }
            }
        }
        needed
    }
}
