//! How strongly should each weight of a regression be penalised, to do well on other rows?
use bilevel::{At, FixedStart, HyperGradient, Key, Layout, Problem, Unrolled, check};
use bilevel_autodiff::{Data, Function, Inputs, Var};

/// The mean of (a_i·y − b_i)².
fn loss<'t>(v: &Inputs<'t>) -> Var<'t> {
    let predicted = v.data("a").matmul(v.y("y").reshape(&[4, 1]));
    (predicted.reshape(&[v.rows()]) - v.data("b"))
        .square()
        .mean()
}

fn main() -> bilevel::Result<()> {
    // Twelve rows of four features, of which the first one matters.
    let data = |shift: f64| {
        let a: Vec<f64> = (0..48)
            .map(|i| (1.7 * f64::from(i) + shift).sin())
            .collect();
        let b: Vec<f64> = a
            .chunks(4)
            .map(|row| 2.0 * row[0] + 0.3 * (9.0 * row[1]).cos())
            .collect();
        Data::new(12).rows("a", a, &[4]).rows("b", b, &[])
    };
    let (x, y) = (Layout::vector("x", 4), Layout::vector("y", 4));
    // g, to train on: the loss and a penalty of exp(x_j) for each weight. f: the loss on other rows.
    let g = Function::new(|v| loss(v) + (v.x("x").exp() * v.y("y").square()).sum_all());
    let f = Function::new(loss);
    let (g, f) = (g.bind(&x, &y, data(0.0))?, f.bind(&x, &y, data(0.5))?);
    let problem = Problem::new(g, f, FixedStart(vec![0.0; 4]))?;
    let method = Unrolled::default();
    let (x, key) = ([-1.0; 4], Key::from_seed(0));
    let (hypergradient, _) = method.gradient(&problem, &x, key)?;
    assert!(check::gradient_check(&method, &At::new(&problem, &x, key), 3, 1e-7)?.passed());
    // A stronger penalty on the feature that matters makes what is trained worse.
    assert!(hypergradient[0] > 0.05);
    Ok(())
}
