//! One penalty for each feature of a regression, learned with Adam from a loss that is stated once.
#![allow(clippy::print_stdout)]

use bilevel::{Adam, Driver, FixedStart, Key, Layout, Problem, RunState, Unrolled, driver::Trace};
use bilevel_autodiff::{Data, Function, Inputs, Var};

const FEATURES: usize = 5;

fn loss<'t>(v: &Inputs<'t>) -> Var<'t> {
    let predicted = v.data("a").matmul(v.y("y").reshape(&[FEATURES, 1]));
    (predicted.reshape(&[v.rows()]) - v.data("b"))
        .square()
        .mean()
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two features matter, three do not; the noise is large.
    let data = |seed: u64| {
        let mut normals = Key::from_seed(seed).normals();
        let a: Vec<f64> = normals.by_ref().take(20 * FEATURES).collect();
        let b: Vec<f64> = a
            .chunks(FEATURES)
            .zip(normals)
            .map(|(row, noise)| 2.0 * row[0] - row[1] + 0.8 * noise)
            .collect();
        Data::new(20).rows("a", a, &[FEATURES]).rows("b", b, &[])
    };
    let (x, y) = (Layout::vector("x", FEATURES), Layout::vector("y", FEATURES));
    let g = Function::new(|v| loss(v) + (v.x("x").exp() * v.y("y").square()).sum_all());
    let f = Function::new(loss);
    let (g, f) = (g.bind(&x, &y, data(1))?, f.bind(&x, &y, data(2))?);
    let problem = Problem::new(g, f, FixedStart(vec![0.0; FEATURES]))?;
    let (method, optimizer) = (Unrolled::default(), Adam::new(0.1));
    let mut state = RunState::new(vec![-3.0; FEATURES], &optimizer);
    let mut trace = Trace::default();
    Driver::new(&problem, &method, &optimizer, Key::from_seed(0))
        .outer_steps(100)
        .observer(&mut trace)
        .run(&mut state)?;
    let (first, last) = (trace.points[0].1, trace.points[100].1);
    println!(
        "held-out loss {first:.4} -> {last:.4}, log penalties {:.2?}",
        state.x
    );
    // Features that do not matter are penalised more than those that do.
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    assert!(last < first && mean(&state.x[..2]) < mean(&state.x[2..]));
    Ok(())
}
