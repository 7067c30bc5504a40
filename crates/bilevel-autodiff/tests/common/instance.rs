//! One primitive on random operands, at a point where it is smooth.

use bilevel_autodiff::graph::{DType, Graph, Lines, NodeId, Op, Unary};
use bilevel_autodiff::reference::Value;
use bilevel_autodiff::{Draw, Kind, Numbers, Sample};

use super::source::Source;

/// A graph with one primitive.
pub(crate) struct Instance {
    pub(crate) graph: Graph,
    pub(crate) arguments: Vec<Value<f64>>,
    /// The real inputs to differentiate with respect to.
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) output: NodeId,
}

impl Instance {
    fn given(&mut self, shape: &[usize], numbers: Vec<f64>) -> NodeId {
        let id = self.graph.input(shape.to_vec(), DType::Real);
        self.arguments.push(Value::Real(numbers));
        self.inputs.push(id);
        id
    }

    fn operand(&mut self, shape: &[usize], numbers: Numbers, source: &mut Source) -> NodeId {
        let count = shape.iter().product();
        let drawn = |draw: &mut dyn FnMut() -> f64| (0..count).map(|_| draw()).collect();
        let values: Vec<f64> = match numbers {
            Numbers::Any => drawn(&mut || source.number(-1.5, 1.5)),
            Numbers::Away | Numbers::Signs => drawn(&mut || source.signed(0.3, 1.5)),
            Numbers::Positive => drawn(&mut || source.number(0.5, 2.0)),
            Numbers::Distinct => {
                let order = source.permutation(count).into_iter();
                order.map(|i| 0.1 * i as f64 - 1.0).collect()
            }
            Numbers::Apart => {
                let before = self.arguments[self.arguments.len() - 1].real();
                before.iter().map(|a| a + source.signed(0.2, 1.0)).collect()
            }
            Numbers::Mask => {
                let truth = (0..count).map(|_| source.chance()).collect();
                self.arguments.push(Value::Mask(truth));
                return self.graph.input(shape.to_vec(), DType::Mask);
            }
            Numbers::Index(below) => {
                let numbers = (0..count).map(|_| source.below(below) as u32).collect();
                self.arguments.push(Value::Index(numbers));
                return self.graph.input(shape.to_vec(), DType::Index);
            }
            Numbers::Definite => matrices(shape, source, true),
            Numbers::Triangle => matrices(shape, source, false),
            other => unreachable!("{other:?}"),
        };
        let id = self.given(shape, values);
        if numbers == Numbers::Signs {
            return self.graph.push(Op::Unary(Unary::Sign), &[id]).unwrap();
        }
        id
    }

    /// The result; if it is not real, a real node that depends on it.
    fn sampled(&mut self, sample: &Sample, source: &mut Source) -> NodeId {
        let mut operands = Vec::new();
        for (shape, numbers) in &sample.operands {
            operands.push(self.operand(shape, *numbers, source));
        }
        let id = self.graph.push(sample.op.clone(), &operands).unwrap();
        let node = self.graph.node(id).clone();
        match node.dtype {
            DType::Real => id,
            DType::Mask => {
                let any = [(); 2].map(|()| self.operand(&node.shape, Numbers::Any, source));
                let operands = [id, any[0], any[1]];
                self.graph.push(Op::Select, &operands).unwrap()
            }
            DType::Index => {
                let (axis, shape) = match sample.op {
                    Op::Lines(Lines::ArgSort { axis }) => (axis, node.shape),
                    Op::PoolIndices { .. } => {
                        let [n, h, w, c] = sample.operands[0].0[..] else {
                            unreachable!("{node:?}")
                        };
                        (1, vec![n, h * w, c])
                    }
                    _ => unreachable!("{node:?}"),
                };
                let data = self.operand(&shape, Numbers::Any, source);
                let gather = Op::Lines(Lines::Gather { axis });
                self.graph.push(gather, &[data, id]).unwrap()
            }
        }
    }
}

/// M·Mᵀ + I/2 for matrices M, or triangles with a diagonal away from 0.
pub(crate) fn matrices(shape: &[usize], source: &mut Source, definite: bool) -> Vec<f64> {
    let n = shape[shape.len() - 1];
    let batch: usize = shape[..shape.len() - 2].iter().product();
    let mut all = Vec::new();
    for _ in 0..batch {
        let m: Vec<f64> = (0..n * n).map(|_| source.number(-0.6, 0.6)).collect();
        for i in 0..n {
            for j in 0..n {
                let product: f64 = (0..n).map(|k| m[i * n + k] * m[j * n + k]).sum();
                let diagonal = if i == j { 0.5 } else { 0.0 };
                all.push(match (definite, i == j) {
                    (true, _) => f64::from((product + diagonal) as f32),
                    (false, true) => source.signed(0.7, 1.5),
                    (false, false) => m[i * n + j],
                });
            }
        }
    }
    all
}

/// This primitive on random operands of rank 0 to 4, some with empty and size-1 axes.
pub(crate) fn instance(kind: Kind, source: &mut Source) -> Instance {
    let mut instance = Instance {
        graph: Graph::new(),
        arguments: Vec::new(),
        inputs: Vec::new(),
        // A placeholder.
        output: Graph::new().constant(0.0),
    };
    instance.output = match kind.sample(source) {
        Some(sample) => instance.sampled(&sample, source),
        None => {
            let shape = source.shape(0, 4);
            let input = instance.operand(&shape, Numbers::Any, source);
            match kind {
                Kind::Constant => instance.graph.constant(0.7),
                _ => input,
            }
        }
    };
    let nodes = instance.graph.nodes();
    assert!(nodes.iter().any(|node| Kind::of(&node.op) == kind));
    instance
}
