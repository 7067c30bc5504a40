//! Everything that a method may ask of an objective, as lists of numbers; and objectives made from graphs.

use std::collections::BTreeMap;

use bilevel::check::random_direction;
use bilevel::objective::AtX;
use bilevel::{Draw, Key, Objective};
use bilevel_autodiff::graph::{Binary, Compare, Graph, NodeId, Op, Unary};
use bilevel_autodiff::{Inputs, Var};

/// A named list of results.
pub(crate) type Figure = (String, Vec<f64>);

/// All results for each draw in turn, from one handle.
pub(crate) fn everything(
    objective: &dyn Objective<f64>,
    x: &[f64],
    y: &[f64],
    draws: &[Draw],
) -> Vec<Figure> {
    let key = Key::from_seed(3);
    let (n, m) = (x.len(), y.len());
    let v: Vec<f64> = random_direction(key, m);
    let dx: Vec<f64> = random_direction(key.fold_in(1), n);
    let mut at = objective.at(x).unwrap();
    let mut found: Vec<Figure> = Vec::new();
    for (number, &draw) in draws.iter().enumerate() {
        let mut keep = |what: &str, values: Vec<f64>| {
            found.push((format!("{what} of draw {number}"), values));
        };
        let finished = |at: &mut dyn AtX<f64>| {
            // Present values stay.
            let mut x_bar = vec![0.5; n];
            at.finish(&mut x_bar).unwrap();
            x_bar.iter().map(|bar| bar - 0.5).collect::<Vec<_>>()
        };
        keep("value", vec![at.value(y, draw).unwrap()]);
        let mut out = vec![f64::NAN; m];
        at.grad_y(y, draw, &mut out).unwrap();
        let grad_y = out.clone();
        keep("∇_y", out);
        at.grad_x(y, draw, -0.75).unwrap();
        keep("∇_x", finished(&mut *at));
        let mut y_bar = vec![0.0; m];
        let products = at.second_order().unwrap();
        products.pull(y, draw, &v, &mut y_bar).unwrap();
        products.pull(y, draw, &v, &mut y_bar).unwrap();
        keep("∇²_yy", y_bar);
        keep("∇²_xy", finished(&mut *at));
        let mut out = vec![0.0; m];
        let products = at.second_order().unwrap();
        products.push(y, draw, &dx, &v, &mut out).unwrap();
        products.push(y, draw, &dx, &v, &mut out).unwrap();
        let (mut gradient, mut with) = (vec![f64::NAN; m], vec![0.0; m]);
        for _ in 0..2 {
            let along = (&dx[..], &v[..]);
            let came = products.push_with_gradient(y, draw, along, &mut gradient, &mut with);
            assert!(came.unwrap());
        }
        for (with, without) in [(&gradient, &grad_y), (&with, &out)] {
            let apart = bilevel::vector::relative_difference(with, without);
            assert!(
                apart <= 1e-9 || !bilevel::vector::all_finite(without),
                "a push with its gradient: {apart:e}"
            );
        }
        keep("push", out);
        assert!(finished(&mut *at).iter().all(|&bar| bar == 0.0));
        let taped = at.tape().unwrap();
        let mut tape = vec![f64::NAN; taped.tape_len(draw)];
        let mut out = vec![f64::NAN; m];
        taped.linearize(y, draw, &mut out, &mut tape).unwrap();
        keep("∇_y with a tape", out);
        let mut y_bar = vec![0.0; m];
        taped.pull_tape(y, draw, &tape, &v, &mut y_bar).unwrap();
        taped.pull_tape(y, draw, &tape, &v, &mut y_bar).unwrap();
        keep("∇²_yy from the tape", y_bar);
        keep("∇²_xy from the tape", finished(&mut *at));
    }
    found
}

/// Asserts that all results agree within `tolerance`, relative to the larger of their size and `floor`.
pub(crate) fn assert_same(
    what: &str,
    found: &[Figure],
    expected: &[Figure],
    tolerance: f64,
    floor: f64,
) {
    assert_eq!(found.len(), expected.len());
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        let size = super::calculus::norm(expected).max(floor);
        let apart = super::calculus::distance(found, expected);
        assert!(
            apart <= tolerance * size,
            "{what}: {name} is {apart:e} off, its size is {size:e}"
        );
    }
}

/// The first output of the graph, written as a user would write it.
pub(crate) fn rewritten<'t>(graph: &Graph, given: &[Var<'t>], inputs: &Inputs<'t>) -> Var<'t> {
    let mut vars: BTreeMap<NodeId, Var<'t>> = BTreeMap::new();
    for id in graph.ids() {
        let node = graph.node(id);
        let all: Vec<Var<'t>> = node.operands.iter().map(|o| vars[o]).collect();
        let var = match &node.op {
            Op::Input(number) => given[*number],
            Op::Constant(bits) => inputs.number(f64::from_bits(*bits)),
            op => operation(op, &all),
        };
        vars.insert(id, var);
    }
    vars[&graph.outputs[0]]
}

fn operation<'t>(op: &Op, all: &[Var<'t>]) -> Var<'t> {
    let a = all[0];
    match op {
        Op::Input(_) | Op::Constant(_) => a,
        Op::Unary(unary) => match unary {
            Unary::Neg => -a,
            Unary::Exp => a.exp(),
            Unary::Ln => a.ln(),
            Unary::Sqrt => a.sqrt(),
            Unary::Recip => a.recip(),
            Unary::Tanh => a.tanh(),
            Unary::Sigmoid => a.sigmoid(),
            Unary::Softplus => a.softplus(),
            Unary::Relu => a.relu(),
            Unary::Abs => a.abs(),
            Unary::Sign => a.sign(),
            Unary::Sin => a.sin(),
            Unary::Cos => a.cos(),
            _ => a.apply(op.clone(), &[]),
        },
        Op::Binary(binary) => match binary {
            Binary::Add => a + all[1],
            Binary::Sub => a - all[1],
            Binary::Mul => a * all[1],
            Binary::Div => a / all[1],
            Binary::Pow => a.pow(all[1]),
            Binary::Max => a.maximum(all[1]),
            Binary::Min => a.minimum(all[1]),
            _ => a.apply(op.clone(), &all[1..]),
        },
        Op::Compare(compare) => match compare {
            Compare::Equal => a.equal(all[1]),
            Compare::Less => a.less(all[1]),
            Compare::LessEqual => a.less_equal(all[1]),
            _ => a.apply(op.clone(), &all[1..]),
        },
        Op::Select => a.select(all[1], all[2]),
        Op::Reshape(shape) => a.reshape(shape),
        Op::Transpose(permutation) => a.transpose(permutation),
        Op::Broadcast(shape) => a.broadcast(shape),
        Op::Slice { axis, start, len } => a.slice(*axis, *start, *len),
        Op::Pad {
            axis,
            before,
            after,
        } => a.pad(*axis, *before, *after),
        Op::Concat(axis) => a.concat(*axis, all[1]),
        Op::Sum(axes) => a.sum(axes),
        Op::Max(axes) => a.max(axes),
        Op::TakeRows => a.take_rows(all[1]),
        Op::AddRows(rows) => a.add_rows(all[1], *rows),
        Op::Pick => a.pick(all[1]),
        Op::Place(size) => a.place(all[1], *size),
        Op::MatMul { left, right } => {
            let side = |var: Var<'t>, flag: bool| if flag { var.t() } else { var };
            side(a, *left).matmul(side(all[1], *right))
        }
        Op::StopGradient => a.stop_gradient(),
        _ => a.apply(op.clone(), &all[1..]),
    }
}
