//! One primitive on random operands, at a point where it is smooth.

use bilevel_autodiff::graph::{Binary, Compare, DType, Graph, NodeId, Op, Shape, Unary};
use bilevel_autodiff::reference::Value;

use super::kind::Kind;
use super::source::Source;

/// A graph with one primitive in it.
pub(crate) struct Instance {
    pub(crate) graph: Graph,
    pub(crate) arguments: Vec<Value<f64>>,
    /// The inputs to differentiate with respect to, real numbers.
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) output: NodeId,
}

struct Builder<'s> {
    graph: Graph,
    arguments: Vec<Value<f64>>,
    inputs: Vec<NodeId>,
    source: &'s mut Source,
}

impl Builder<'_> {
    fn given(&mut self, shape: &[usize], numbers: Vec<f64>) -> NodeId {
        let id = self.graph.input(shape.to_vec(), DType::Real);
        self.arguments.push(Value::Real(numbers));
        self.inputs.push(id);
        id
    }

    fn real(&mut self, shape: &[usize], draw: impl Fn(&mut Source) -> f64) -> NodeId {
        let numbers = (0..shape.iter().product()).map(|_| draw(self.source));
        let numbers = numbers.collect();
        self.given(shape, numbers)
    }

    /// Numbers of both signs.
    fn any(&mut self, shape: &[usize]) -> NodeId {
        self.real(shape, |source| source.number(-1.5, 1.5))
    }

    /// Numbers that are not near 0.
    fn away(&mut self, shape: &[usize]) -> NodeId {
        self.real(shape, |source| source.signed(0.3, 1.5))
    }

    fn positive(&mut self, shape: &[usize]) -> NodeId {
        self.real(shape, |source| source.number(0.5, 2.0))
    }

    /// Numbers no two of which are near each other.
    fn distinct(&mut self, shape: &[usize]) -> NodeId {
        let order = self.source.permutation(shape.iter().product());
        let numbers = order.into_iter().map(|i| 0.1 * i as f64 - 1.0);
        let numbers = numbers.collect();
        self.given(shape, numbers)
    }

    /// Two operands that are nowhere near each other.
    fn apart(&mut self, shape: &[usize]) -> [NodeId; 2] {
        let a = self.any(shape);
        let first = self.arguments[self.arguments.len() - 1].real().to_vec();
        let shifted = first.iter().map(|a| a + self.source.signed(0.2, 1.0));
        let shifted = shifted.collect();
        [a, self.given(shape, shifted)]
    }

    fn indices(&mut self, shape: &[usize], below: usize) -> NodeId {
        let id = self.graph.input(shape.to_vec(), DType::Index);
        let count = shape.iter().product();
        let numbers = (0..count).map(|_| self.source.below(below) as u32);
        self.arguments.push(Value::Index(numbers.collect()));
        id
    }

    fn push(&mut self, op: Op, operands: &[NodeId]) -> NodeId {
        self.graph.push(op, operands).unwrap()
    }

    /// A choice between two operands by a comparison of the signs of two others: smooth with ties.
    fn compare(&mut self, compare: Compare, shape: &[usize]) -> NodeId {
        let [p, q] = [self.away(shape), self.away(shape)];
        let [p, q] = [p, q].map(|id| self.push(Op::Unary(Unary::Sign), &[id]));
        let mask = self.push(Op::Compare(compare), &[p, q]);
        let operands = [mask, self.any(shape), self.any(shape)];
        self.push(Op::Select, &operands)
    }
}

/// This primitive on random operands of rank 0 to 4, with empty and size-1 axes among them.
pub(crate) fn instance(kind: Kind, source: &mut Source) -> Instance {
    let mut builder = Builder {
        graph: Graph::new(),
        arguments: Vec::new(),
        inputs: Vec::new(),
        source,
    };
    let output = output(kind, &mut builder);
    let graph = builder.graph;
    assert!(graph.nodes().iter().any(|node| Kind::of(&node.op) == kind));
    Instance {
        graph,
        arguments: builder.arguments,
        inputs: builder.inputs,
        output,
    }
}

fn output(kind: Kind, b: &mut Builder<'_>) -> NodeId {
    let shape = b.source.shape(0, 4);
    let unary = |b: &mut Builder<'_>, unary, a| b.push(Op::Unary(unary), &[a]);
    let binary = |b: &mut Builder<'_>, binary, a: [NodeId; 2]| b.push(Op::Binary(binary), &a);
    let a = match kind {
        Kind::Constant => {
            b.any(&shape);
            return b.graph.constant(0.7);
        }
        Kind::Equal => return b.compare(Compare::Equal, &shape),
        Kind::Less => return b.compare(Compare::Less, &shape),
        Kind::LessEqual => return b.compare(Compare::LessEqual, &shape),
        Kind::Maximum => {
            let operands = b.apart(&shape);
            return binary(b, Binary::Max, operands);
        }
        Kind::Minimum => {
            let operands = b.apart(&shape);
            return binary(b, Binary::Min, operands);
        }
        Kind::Select => {
            let mask = b.graph.input(shape.clone(), DType::Mask);
            let truth = (0..shape.iter().product()).map(|_| b.source.chance(0.5));
            b.arguments.push(Value::Mask(truth.collect()));
            let operands = [mask, b.any(&shape), b.any(&shape)];
            return b.push(Op::Select, &operands);
        }
        Kind::Ln | Kind::Sqrt | Kind::Pow => b.positive(&shape),
        Kind::Recip | Kind::Relu | Kind::Abs | Kind::Sign => b.away(&shape),
        Kind::Input
        | Kind::Neg
        | Kind::Exp
        | Kind::Tanh
        | Kind::Sigmoid
        | Kind::Softplus
        | Kind::Sin
        | Kind::Cos
        | Kind::Add
        | Kind::Sub
        | Kind::Mul
        | Kind::Div
        | Kind::Reshape
        | Kind::Transpose
        | Kind::Sum
        | Kind::StopGradient => b.any(&shape),
        Kind::Broadcast
        | Kind::Slice
        | Kind::Pad
        | Kind::Concat
        | Kind::Max
        | Kind::TakeRows
        | Kind::AddRows
        | Kind::Pick
        | Kind::Place
        | Kind::MatMul => return structural(kind, b),
    };
    match kind {
        Kind::Neg => unary(b, Unary::Neg, a),
        Kind::Exp => unary(b, Unary::Exp, a),
        Kind::Ln => unary(b, Unary::Ln, a),
        Kind::Sqrt => unary(b, Unary::Sqrt, a),
        Kind::Recip => unary(b, Unary::Recip, a),
        Kind::Tanh => unary(b, Unary::Tanh, a),
        Kind::Sigmoid => unary(b, Unary::Sigmoid, a),
        Kind::Softplus => unary(b, Unary::Softplus, a),
        Kind::Relu => unary(b, Unary::Relu, a),
        Kind::Abs => unary(b, Unary::Abs, a),
        Kind::Sign => unary(b, Unary::Sign, a),
        Kind::Sin => unary(b, Unary::Sin, a),
        Kind::Cos => unary(b, Unary::Cos, a),
        Kind::StopGradient => b.push(Op::StopGradient, &[a]),
        Kind::Add | Kind::Sub | Kind::Mul | Kind::Pow => {
            let op = match kind {
                Kind::Add => Binary::Add,
                Kind::Sub => Binary::Sub,
                Kind::Mul => Binary::Mul,
                _ => Binary::Pow,
            };
            let second = b.any(&shape);
            binary(b, op, [a, second])
        }
        Kind::Div => {
            let second = b.away(&shape);
            binary(b, Binary::Div, [a, second])
        }
        Kind::Reshape => {
            let order = b.source.permutation(shape.len());
            let mut other: Shape = order.iter().map(|&axis| shape[axis]).collect();
            for _ in 0..b.source.below(3) {
                other.insert(b.source.below(other.len() + 1), 1);
            }
            b.push(Op::Reshape(other), &[a])
        }
        Kind::Transpose => {
            let order = b.source.permutation(shape.len());
            b.push(Op::Transpose(order), &[a])
        }
        Kind::Sum => {
            let axes = b.source.subset(shape.len());
            b.push(Op::Sum(axes), &[a])
        }
        _ => a,
    }
}

fn structural(kind: Kind, b: &mut Builder<'_>) -> NodeId {
    let shape = b.source.shape(1, 4);
    let axis = b.source.below(shape.len());
    match kind {
        Kind::Broadcast => {
            let repeated = b.source.subset(shape.len());
            let mut own = shape.clone();
            for axis in repeated {
                own[axis] = 1;
            }
            let a = b.any(&own);
            b.push(Op::Broadcast(shape), &[a])
        }
        Kind::Slice => {
            let a = b.any(&shape);
            let start = b.source.below(shape[axis] + 1);
            let len = b.source.below(shape[axis] - start + 1);
            b.push(Op::Slice { axis, start, len }, &[a])
        }
        Kind::Pad => {
            let a = b.any(&shape);
            let op = Op::Pad {
                axis,
                before: b.source.below(3),
                after: b.source.below(3),
            };
            b.push(op, &[a])
        }
        Kind::Concat => {
            let mut other = shape.clone();
            other[axis] = b.source.size();
            let operands = [b.any(&shape), b.any(&other)];
            b.push(Op::Concat(axis), &operands)
        }
        Kind::Max => {
            // The maximum of nothing is a constant, −∞.
            let mut axes = b.source.subset(shape.len());
            axes.retain(|&axis| shape[axis] > 0);
            let a = b.distinct(&shape);
            b.push(Op::Max(axes), &[a])
        }
        Kind::TakeRows => {
            let count = if shape[0] == 0 { 0 } else { b.source.below(5) };
            let a = b.any(&shape);
            let index = b.indices(&[count], shape[0]);
            b.push(Op::TakeRows, &[a, index])
        }
        Kind::AddRows => {
            let least = usize::from(shape[0] > 0);
            let rows = least + b.source.below(4);
            let a = b.any(&shape);
            let index = b.indices(&shape[..1], rows);
            b.push(Op::AddRows(rows), &[a, index])
        }
        Kind::Pick => {
            let mut data = shape.clone();
            data.truncate(3);
            let classes = 1 + b.source.below(3);
            let index = b.indices(&data, classes);
            data.push(classes);
            let a = b.any(&data);
            b.push(Op::Pick, &[a, index])
        }
        Kind::Place => {
            let shape = b.source.shape(0, 3);
            let size = 1 + b.source.below(3);
            let a = b.any(&shape);
            let index = b.indices(&shape, size);
            b.push(Op::Place(size), &[a, index])
        }
        _ => {
            let batch = b.source.shape(0, 2);
            let [m, k, n] = [(); 3].map(|()| b.source.size());
            let [left, right] = [(); 2].map(|()| b.source.chance(0.5));
            let sides = |transposed, rows, columns| {
                let own = if transposed {
                    [columns, rows]
                } else {
                    [rows, columns]
                };
                [batch.clone(), own.to_vec()].concat()
            };
            let operands = [b.any(&sides(left, m, k)), b.any(&sides(right, k, n))];
            b.push(Op::MatMul { left, right }, &operands)
        }
    }
}
