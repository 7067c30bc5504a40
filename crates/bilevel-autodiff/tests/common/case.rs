//! Random graphs built like the objectives of real problems: rows, weights, classes.

use bilevel_autodiff::graph::{Binary, Compare, DType, Graph, Lines, NodeId, Op, Shape, Unary};
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::{Draw, Kind, Numbers};

use super::instance::matrices as matrices_of;
use super::source::Source;

/// The properties of a random graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// The most rows.
    pub(crate) rows: usize,
    /// The number of primitives to try.
    pub(crate) steps: usize,
    /// Whether `stop_gradient` occurs: a derivative through it is not a true gradient.
    pub(crate) stops: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            rows: 700,
            steps: 24,
            stops: true,
        }
    }
}

/// A random graph and arguments for it. The outputs are one to three scalars (the objectives) and then up to two
/// tensors. Values larger than [`LIMIT`] are scaled down before use.
pub(crate) fn random_case(seed: u64, style: Style) -> (Graph, Vec<Value<f64>>) {
    let mut source = Source::new(seed);
    let rows = match source.below(6) {
        0 => 1 + source.below(4),
        1 => 120 + source.below(20),
        2 => 250 + source.below(10),
        _ => 1 + source.below(700),
    };
    let mut case = Case {
        rows: rows.min(style.rows),
        graph: Graph::new(),
        arguments: Vec::new(),
        pool: Vec::new(),
        used_indices: Vec::new(),
        source,
    };
    case.start();
    for step in 0..style.steps {
        // Primitives of typical models are more frequent than the rest, but all occur.
        let kind = match step % 3 {
            0 => case.source.one_of(FREQUENT),
            _ => case.source.one_of(&Kind::all()),
        };
        if kind != Kind::StopGradient || style.stops {
            let grown = case.grow(kind);
            if let Some((id, size)) = grown {
                case.keep(id, size);
            }
        }
    }
    case.finish();
    (case.graph, case.arguments)
}

/// No number that is used further exceeds this size.
pub(crate) const LIMIT: f64 = 4.0;

const FREQUENT: &[Kind] = &[
    Kind::MatMul,
    Kind::MatMul,
    Kind::MatMul,
    Kind::MatMul,
    Kind::Sum,
    Kind::Binary(Binary::Mul),
    Kind::Binary(Binary::Add),
    Kind::Unary(Unary::Tanh),
    Kind::TakeRows,
    Kind::AddRows,
    Kind::Pick,
    Kind::Place,
];

/// A real node, and a bound of its size.
#[derive(Clone, Copy)]
struct Entry {
    id: NodeId,
    size: f64,
}

/// The position in the pool of the scalar input.
const SCALAR: usize = 5;

struct Case {
    rows: usize,
    graph: Graph,
    arguments: Vec<Value<f64>>,
    pool: Vec<Entry>,
    /// Index nodes, and their exclusive upper bounds.
    used_indices: Vec<(NodeId, usize)>,
    source: Source,
}

impl Case {
    /// The inputs: a table, weights, a bias, one number per row, a scalar, a batch of matrices.
    fn start(&mut self) {
        let [columns, classes] = [(); 2].map(|()| 1 + self.source.below(5));
        let batch = self.source.below(4);
        for shape in [
            vec![self.rows, columns],
            vec![columns, classes],
            vec![columns, classes],
            vec![classes],
            vec![self.rows],
            vec![],
            vec![batch, columns, classes],
        ] {
            self.real(&shape);
        }
    }

    fn real(&mut self, shape: &[usize]) -> NodeId {
        let id = self.graph.input(shape.to_vec(), DType::Real);
        let numbers = (0..shape.iter().product()).map(|_| self.source.number(-1.0, 1.0));
        self.arguments.push(Value::Real(numbers.collect()));
        self.pool.push(Entry { id, size: 1.0 });
        id
    }

    /// Indices below a number: new ones, ones used before, or reshaped ones.
    fn indices(&mut self, shape: &[usize], below: usize) -> NodeId {
        let used = self.used_indices.iter();
        let same = used.filter(|(id, most)| *most <= below && self.graph.shape(*id) == shape);
        let same: Vec<NodeId> = same.map(|&(id, _)| id).collect();
        if !same.is_empty() && self.source.chance() {
            return self.source.one_of(&same);
        }
        let id = if self.source.likely(0.3) {
            let flat = self.new_indices(&[shape.iter().product()], below);
            self.push(Op::Reshape(shape.to_vec()), &[flat])
        } else {
            self.new_indices(shape, below)
        };
        self.used_indices.push((id, below));
        id
    }

    fn new_indices(&mut self, shape: &[usize], below: usize) -> NodeId {
        let id = self.graph.input(shape.to_vec(), DType::Index);
        let count = shape.iter().product();
        let numbers = (0..count).map(|_| self.source.below(below) as u32);
        self.arguments.push(Value::Index(numbers.collect()));
        id
    }

    fn push(&mut self, op: Op, operands: &[NodeId]) -> NodeId {
        self.graph.push(op, operands).unwrap()
    }

    fn shape(&self, id: NodeId) -> Shape {
        self.graph.shape(id).to_vec()
    }

    /// Adds a node to the pool, scaled by a power of two if it could be large.
    fn keep(&mut self, id: NodeId, size: f64) {
        if size <= LIMIT {
            self.pool.push(Entry { id, size });
            return;
        }
        let factor = 0.5_f64.powi((size / LIMIT).log2().ceil() as i32);
        let scalar = self.graph.constant(factor);
        let factors = self.fit(scalar, &self.shape(id));
        let scaled = self.push(Op::Binary(Binary::Mul), &[id, factors]);
        let size = size * factor;
        self.pool.push(Entry { id: scaled, size });
    }

    /// The node broadcast to this shape.
    fn fit(&mut self, id: NodeId, shape: &[usize]) -> NodeId {
        let mut own = self.shape(id);
        let mut id = id;
        if own.len() < shape.len() {
            own.splice(..0, vec![1; shape.len() - own.len()]);
            id = self.push(Op::Reshape(own.clone()), &[id]);
        }
        if own == shape {
            id
        } else {
            self.push(Op::Broadcast(shape.to_vec()), &[id])
        }
    }

    /// Any node; later ones, and those with a row for each row, are more frequent.
    fn any(&mut self) -> Entry {
        let count = self.pool.len();
        let candidates = [(); 3].map(|()| self.source.below(count));
        let late = candidates[0].max(candidates[1]);
        let is_row = |i: usize| self.graph.shape(self.pool[i].id).first() == Some(&self.rows);
        let rows = candidates.iter().copied().find(|&i| is_row(i));
        self.pool[rows.unwrap_or(late)]
    }

    /// Any node whose shape is accepted.
    fn any_where(&mut self, accept: impl Fn(&[usize]) -> bool) -> Option<Entry> {
        let fitting: Vec<Entry> = self
            .pool
            .iter()
            .copied()
            .filter(|entry| accept(self.graph.shape(entry.id)))
            .collect();
        (!fitting.is_empty()).then(|| self.source.one_of(&fitting))
    }

    /// Any node, and a second one in its shape.
    fn two(&mut self) -> [Entry; 2] {
        let first = self.any();
        let shape = self.shape(first.id);
        let fits = |own: &[usize]| {
            own.len() <= shape.len()
                && own
                    .iter()
                    .rev()
                    .zip(shape.iter().rev())
                    .all(|(&own, &to)| own == to || own == 1)
        };
        // The node itself fits.
        let mut second = self.any_where(fits).unwrap_or(first);
        second.id = self.fit(second.id, &shape);
        if self.source.chance() {
            [first, second]
        } else {
            [second, first]
        }
    }

    /// Maps any values to between 1/2 and 3/2.
    fn positive(&mut self, entry: Entry) -> NodeId {
        let sigmoid = self.push(Op::Unary(Unary::Sigmoid), &[entry.id]);
        let half = self.graph.constant(0.5);
        let half = self.fit(half, &self.shape(sigmoid));
        self.push(Op::Binary(Binary::Add), &[sigmoid, half])
    }

    /// The largest absolute value of a node.
    fn size(&self, id: NodeId) -> f64 {
        let mut graph = self.graph.clone();
        graph.outputs = vec![id];
        let value = &evaluate(&graph, &self.arguments).unwrap()[0];
        value
            .real()
            .iter()
            .fold(0.0, |top: f64, a| top.max(a.abs()))
    }

    fn unary(&mut self, unary: Unary) -> (NodeId, f64) {
        let a = self.any();
        let numbers = Kind::Unary(unary)
            .sample(&mut self.source)
            .unwrap()
            .operands[0]
            .1;
        if numbers == Numbers::Positive || unary == Unary::Recip {
            let a = self.positive(a);
            return (self.push(Op::Unary(unary), &[a]), 2.0);
        }
        let id = self.push(Op::Unary(unary), &[a.id]);
        let size = match unary {
            Unary::Neg | Unary::Relu | Unary::Abs => a.size,
            Unary::Exp => a.size.exp(),
            Unary::Softplus => a.size + 0.7,
            Unary::Tanh | Unary::Sigmoid | Unary::Sign | Unary::Sin | Unary::Cos => 1.0,
            _ => self.size(id),
        };
        (id, size)
    }

    fn binary(&mut self, binary: Binary) -> (NodeId, f64) {
        let [mut a, mut b] = self.two();
        let operands = Kind::Binary(binary)
            .sample(&mut self.source)
            .unwrap()
            .operands;
        if operands[0].1 == Numbers::Positive {
            a.id = self.positive(a);
        }
        if operands[1].1 == Numbers::Away {
            b.id = self.positive(b);
        }
        let id = self.push(Op::Binary(binary), &[a.id, b.id]);
        let size = match binary {
            Binary::Add | Binary::Sub => a.size + b.size,
            Binary::Mul => a.size * b.size,
            Binary::Div => 2.0 * a.size,
            Binary::Pow => 2.0_f64.powf(b.size),
            Binary::Max | Binary::Min => a.size.max(b.size),
            _ => self.size(id),
        };
        (id, size)
    }

    /// Adds a primitive: returns the result and a bound of its size, or nothing if no node fits.
    fn grow(&mut self, kind: Kind) -> Option<(NodeId, f64)> {
        Some(match kind {
            Kind::Input => {
                let a = self.any();
                let shape = self.shape(a.id);
                (self.real(&shape), 1.0)
            }
            Kind::Constant => {
                let value = self.source.one_of(&[0.0, 1.0, -0.5, 0.1, 2.0]);
                (self.graph.constant(value), 2.0)
            }
            Kind::Unary(unary) => self.unary(unary),
            Kind::Binary(binary) => self.binary(binary),
            Kind::Compare(compare) => self.compare(compare),
            Kind::Select => self.compare(Compare::Less),
            Kind::StopGradient => {
                let a = self.any();
                (self.push(Op::StopGradient, &[a.id]), a.size)
            }
            Kind::Sum | Kind::Max => return self.reduce(kind),
            Kind::MatMul => return self.matmul(),
            Kind::Reshape
            | Kind::Transpose
            | Kind::Broadcast
            | Kind::Slice
            | Kind::Pad
            | Kind::Concat => return self.moved(kind),
            Kind::TakeRows | Kind::AddRows | Kind::Pick | Kind::Place => return self.indexed(kind),
            Kind::Lines(lines) => return self.lines(lines),
            Kind::Conv => self.convolution(),
            Kind::PoolIndices => self.pool(),
            other => unreachable!("{other:?}"),
        })
    }

    /// A primitive along some axes of a node, or of matrices for each row.
    fn lines(&mut self, lines: Lines) -> Option<(NodeId, f64)> {
        let a = self.any();
        let matrices = self.source.shape(0, 1);
        let matrices = [&[self.rows.min(300)], &matrices[..], &[2, 2]].concat();
        let shape = self.shape(a.id);
        let mut sample = lines.sample(&mut self.source, Some(&shape));
        if sample.is_none() {
            sample = lines.sample(&mut self.source, Some(&matrices));
        }
        let sample = sample?;
        let mut operands = Vec::new();
        for (place, (shape, numbers)) in sample.operands.iter().enumerate() {
            operands.push(match *numbers {
                Numbers::Any if place == 0 && self.shape(a.id) == *shape => a.id,
                Numbers::Definite | Numbers::Triangle => {
                    let definite = *numbers == Numbers::Definite;
                    let numbers = matrices_of(shape, &mut self.source, definite);
                    self.arguments.push(Value::Real(numbers));
                    self.graph.input(shape.clone(), DType::Real)
                }
                Numbers::Index(below) => self.indices(shape, below),
                // Also for sort keys: no rounding error may exchange two of them.
                _ => self.real(shape),
            });
        }
        let mut id = self.push(sample.op.clone(), &operands);
        if let Op::Lines(Lines::ArgSort { axis }) = sample.op {
            let same = self.shape(a.id) == self.shape(id);
            let sorted = if same { a.id } else { operands[0] };
            id = self.push(Op::Lines(Lines::Gather { axis }), &[sorted, id]);
        }
        let size = self.size(id);
        (size < 1e4).then_some((id, size))
    }

    /// Pictures or kernels of this shape: an input, any node's elements, or a transposed view.
    fn pictures(&mut self, shape: &[usize]) -> NodeId {
        let count = shape.iter().product::<usize>();
        let fitting = self.any_where(|own| own.iter().product::<usize>() == count);
        match (self.source.below(3), fitting) {
            (0, Some(entry)) => self.push(Op::Reshape(shape.to_vec()), &[entry.id]),
            (1, _) => {
                let permutation = self.source.permutation(shape.len());
                let mut from = vec![0; shape.len()];
                for (axis, &of) in permutation.iter().enumerate() {
                    from[of] = shape[axis];
                }
                let id = self.real(&from);
                self.push(Op::Transpose(permutation), &[id])
            }
            _ => self.real(shape),
        }
    }

    fn convolution(&mut self) -> (NodeId, f64) {
        let sample = Kind::Conv.sample(&mut self.source).unwrap();
        let operands: Vec<NodeId> = sample
            .operands
            .iter()
            .map(|(shape, _)| self.pictures(shape))
            .collect();
        let id = self.push(sample.op, &operands);
        (id, self.size(id))
    }

    fn pool(&mut self) -> (NodeId, f64) {
        let sample = Kind::PoolIndices.sample(&mut self.source).unwrap();
        let shape = &sample.operands[0].0;
        // No rounding error may exchange two of them.
        let a = self.real(shape);
        let index = self.push(sample.op, &[a]);
        let flat = vec![shape[0], shape[1] * shape[2], shape[3]];
        let flat = self.push(Op::Reshape(flat), &[a]);
        let id = self.push(Op::Lines(Lines::Gather { axis: 1 }), &[flat, index]);
        (id, 1.0)
    }

    fn compare(&mut self, compare: Compare) -> (NodeId, f64) {
        let [mut p, q] = self.two();
        if compare == Compare::Equal && self.source.chance() {
            p.id = q.id;
        }
        let mask = self.push(Op::Compare(compare), &[p.id, q.id]);
        let mask = self.moved_mask(mask);
        let shape = self.shape(mask);
        let fits = |own: &[usize]| own == shape;
        let [mut a, mut b] = [p, q].map(|other| self.any_where(fits).unwrap_or(other));
        for entry in [&mut a, &mut b] {
            if self.graph.shape(entry.id) != shape {
                // A scalar always fits.
                *entry = self.scalar();
                entry.id = self.fit(entry.id, &shape);
            }
        }
        let size = a.size.max(b.size);
        (self.push(Op::Select, &[mask, a.id, b.id]), size)
    }

    /// Moves half of the masks to another shape.
    fn moved_mask(&mut self, mask: NodeId) -> NodeId {
        let shape = self.shape(mask);
        let op = match (self.source.below(8), shape.first()) {
            (0, _) => Op::Transpose(self.source.permutation(shape.len())),
            (1, _) => Op::Reshape([&[1], &shape[..]].concat()),
            (2, Some(&size)) => Op::Slice {
                axis: 0,
                start: size / 3,
                len: size / 2,
            },
            (3, Some(_)) => Op::Broadcast(
                shape
                    .iter()
                    .map(|&size| if size == 1 { 3 } else { size })
                    .collect(),
            ),
            _ => return mask,
        };
        self.push(op, &[mask])
    }

    /// A scalar: an input or computed from inputs.
    fn scalar(&mut self) -> Entry {
        let scalar = self.any_where(<[usize]>::is_empty);
        scalar.unwrap_or(self.pool[SCALAR])
    }

    fn reduce(&mut self, kind: Kind) -> Option<(NodeId, f64)> {
        let a = self.any();
        let shape = self.shape(a.id);
        let axes = self.source.subset(shape.len());
        let count: usize = axes.iter().map(|&axis| shape[axis]).product();
        if kind == Kind::Sum {
            let size = a.size * count as f64;
            return Some((self.push(Op::Sum(axes), &[a.id]), size));
        }
        // The maximum of nothing is −∞.
        (count > 0).then(|| (self.push(Op::Max(axes), &[a.id]), a.size))
    }

    /// A product summed over the row axis or any other, of a node with another node or with new weights, on either
    /// side.
    fn matmul(&mut self) -> Option<(NodeId, f64)> {
        let a = self.any_where(|shape| shape.len() >= 2)?;
        let a = if self.source.chance() {
            let rows = self.rows;
            self.any_where(|shape| shape.len() == 2 && shape[0] == rows)?
        } else {
            a
        };
        let shape = self.shape(a.id);
        let rank = shape.len();
        let left = self.source.likely(0.4);
        let inner = shape[rank - if left { 2 } else { 1 }];
        let fits = |own: &[usize], right: bool| {
            own.len() == rank
                && own[..rank - 2] == shape[..rank - 2]
                && own[rank - if right { 1 } else { 2 }] == inner
                // A rows × rows matrix has too many elements.
                && own.iter().chain(&shape).filter(|&&size| size > 64).count() < 3
        };
        let right = self.source.likely(0.4);
        let b = match self.any_where(|own| fits(own, right)) {
            Some(b) => b,
            None => {
                let size = 1 + self.source.below(4);
                let ends = if right { [size, inner] } else { [inner, size] };
                let id = self.real(&[&shape[..rank - 2], &ends[..]].concat());
                Entry { id, size: 1.0 }
            }
        };
        let outer = |shape: &[usize], flag: bool| shape[rank - if flag { 1 } else { 2 }];
        let sizes = (outer(&shape, left), outer(self.graph.shape(b.id), !right));
        if sizes.0 * sizes.1 > 5000 {
            return None;
        }
        // Half of the products are bᵀ·aᵀ.
        let id = if self.source.chance() {
            self.push(Op::MatMul { left, right }, &[a.id, b.id])
        } else {
            let op = Op::MatMul {
                left: !right,
                right: !left,
            };
            self.push(op, &[b.id, a.id])
        };
        Some((id, a.size * b.size * inner as f64))
    }

    fn moved(&mut self, kind: Kind) -> Option<(NodeId, f64)> {
        let a = self.any_where(|shape| !shape.is_empty())?;
        let shape = self.shape(a.id);
        let axis = self.source.below(shape.len());
        let op = match kind {
            Kind::Reshape => {
                let mut other = shape.clone();
                if shape.len() >= 2 && self.source.chance() {
                    let last = other.pop()?;
                    let end = other.len() - 1;
                    other[end] *= last;
                } else if shape.len() < 3 {
                    other.insert(axis, 1);
                }
                Op::Reshape(other)
            }
            Kind::Transpose => Op::Transpose(self.source.permutation(shape.len())),
            Kind::Broadcast => {
                let mut other = shape.clone();
                for size in &mut other {
                    if *size == 1 {
                        *size = 1 + self.source.below(3);
                    }
                }
                Op::Broadcast(other)
            }
            Kind::Slice => {
                let start = self.source.below(shape[axis] + 1);
                let len = self.source.below(shape[axis] - start + 1);
                Op::Slice { axis, start, len }
            }
            Kind::Pad => Op::Pad {
                axis,
                before: self.source.below(3),
                after: self.source.below(3),
            },
            _ => {
                let fits = |own: &[usize]| {
                    own.len() == shape.len()
                        && (0..own.len()).all(|i| i == axis || own[i] == shape[i])
                };
                let b = self.any_where(fits)?;
                let joined = self.push(Op::Concat(axis), &[a.id, b.id]);
                return Some((joined, a.size.max(b.size)));
            }
        };
        Some((self.push(op, &[a.id]), a.size))
    }

    fn indexed(&mut self, kind: Kind) -> Option<(NodeId, f64)> {
        let a = self.any_where(|shape| shape.first().is_some_and(|&size| size > 0))?;
        let shape = self.shape(a.id);
        let last = shape[shape.len() - 1];
        Some(match kind {
            Kind::TakeRows => {
                let count = self.source.one_of(&[self.rows, 0, 1, 3, 17]);
                let index = self.indices(&[count], shape[0]);
                (self.push(Op::TakeRows, &[a.id, index]), a.size)
            }
            Kind::AddRows => {
                let rows = self.source.one_of(&[self.rows, 1, 4]);
                let index = self.indices(&shape[..1], rows);
                let size = a.size * shape[0] as f64;
                (self.push(Op::AddRows(rows), &[a.id, index]), size)
            }
            Kind::Pick if last > 0 => {
                let index = self.indices(&shape[..shape.len() - 1], last);
                (self.push(Op::Pick, &[a.id, index]), a.size)
            }
            Kind::Place if shape.len() < 3 => {
                let size = 1 + self.source.below(4);
                let index = self.indices(&shape, size);
                (self.push(Op::Place(size), &[a.id, index]), a.size)
            }
            _ => return None,
        })
    }

    /// Adds the outputs: objectives, each a sum of means of later nodes, and tensors.
    fn finish(&mut self) {
        let objectives = 1 + self.source.below(3);
        for _ in 0..objectives {
            let parts = 2 + self.source.below(4);
            let mut sum = self.graph.constant(0.0);
            for _ in 0..parts {
                let part = self.mean();
                sum = self.push(Op::Binary(Binary::Add), &[sum, part]);
            }
            self.graph.outputs.push(sum);
        }
        for _ in 0..self.source.below(3) {
            let tensor = self.any().id;
            self.graph.outputs.push(tensor);
        }
    }

    /// The mean of a late node or of its squares.
    fn mean(&mut self) -> NodeId {
        let half = self.pool.len() / 2;
        let late = half + self.source.below(self.pool.len() - half);
        let mut id = self.pool[late].id;
        if self.source.chance() {
            id = self.push(Op::Binary(Binary::Mul), &[id, id]);
        }
        let count = self.graph.node(id).len().max(1);
        let axes = (0..self.graph.shape(id).len()).collect();
        let sum = self.push(Op::Sum(axes), &[id]);
        let sum = self.push(Op::Reshape(Vec::new()), &[sum]);
        let factor = self.graph.constant(1.0 / count as f64);
        self.push(Op::Binary(Binary::Mul), &[sum, factor])
    }
}
