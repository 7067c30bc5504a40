//! What truncated reverse mode leaves out, exactly.

use bilevel::driver::RunState;
use bilevel::{
    Adjoint, At, Closures, Driver, FixedStart, GradientDescent, Hyper, HyperGradient, Key, Memory,
    Problem, Reverse, Sgd, Truncated, Unrolled,
};

/// The eigenvalues of g.
const CURVATURES: [f64; 2] = [1.0, 0.5];

/// g = Σ h_i (y_i − x_i)²/2;  f = Σ (y_i − c_i)²/2 + (x_0 − 3)²/2.
fn quadratic() -> Problem<f64> {
    let inner = Closures::<f64>::new(
        2,
        2,
        |x, y, _| {
            (0..2)
                .map(|i| CURVATURES[i] * (y[i] - x[i]).powi(2) / 2.0)
                .sum()
        },
        |x, y, _, out| (0..2).for_each(|i| out[i] += CURVATURES[i] * (y[i] - x[i])),
    )
    .with_grad_x(|x, y, _, out| (0..2).for_each(|i| out[i] += CURVATURES[i] * (x[i] - y[i])))
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            for i in 0..2 {
                y_bar[i] += CURVATURES[i] * v[i];
                x_bar[i] -= CURVATURES[i] * v[i];
            }
        },
        |_, _, _, dx, dy, out| (0..2).for_each(|i| out[i] += CURVATURES[i] * (dy[i] - dx[i])),
    );
    let outer = Closures::<f64>::new(
        2,
        2,
        |x, y, _| ((y[0] - 2.0).powi(2) + (y[1] + 1.0).powi(2)) / 2.0 + (x[0] - 3.0).powi(2) / 2.0,
        |_, y, _, out| {
            out[0] += y[0] - 2.0;
            out[1] += y[1] + 1.0;
        },
    )
    .with_grad_x(|x, _, _, out| out[0] += x[0] - 3.0);
    Problem::new(inner, outer, FixedStart(vec![0.3, -0.2])).unwrap()
}

fn unrolled(step_size: f64, steps: usize, adjoint: impl Adjoint<f64> + 'static) -> Unrolled<f64> {
    Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(step_size),
            ..GradientDescent::default()
        }),
        steps,
        adjoint: Box::new(adjoint),
    }
}

/// (hypergradient, y_K).
fn estimate(method: &Unrolled<f64>, problem: &Problem<f64>, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    method.validate(problem).unwrap();
    let mut out = vec![0.0; x.len()];
    let report = method
        .estimate(
            &At::new(problem, x, Key::from_seed(0)),
            &mut Memory::default(),
            &mut out,
        )
        .unwrap();
    (out, report.y)
}

/// G_K − G_J = (A^J − A^K) F_y with A = I − s g_yy.
#[test]
fn the_error_on_a_quadratic_is_the_one_of_the_formula() {
    const K: i32 = 100;
    let (problem, x) = (quadratic(), [0.7, -1.3]);
    let (exact, y) = estimate(&unrolled(0.1, 100, Reverse), &problem, &x);
    let outer_gradient = [y[0] - 2.0, y[1] + 1.0];
    for last in [1, 2, 10, 50, 90, 99, 100, 200] {
        let (truncated, _) = estimate(&unrolled(0.1, 100, Truncated { last }), &problem, &x);
        for i in 0..2 {
            let contraction = 1.0 - 0.1 * CURVATURES[i];
            let formula =
                (contraction.powi(last.min(100) as i32) - contraction.powi(K)) * outer_gradient[i];
            let error = exact[i] - truncated[i];
            assert!(
                (error - formula).abs() < 1e-14,
                "J = {last}: {error} against {formula}"
            );
            assert!(last >= 100 || error.abs() > 1e-6);
        }
    }
}

/// f = y²/2 + (x − 3)²/2, g = (y − x)²/2, step size 1/2: J = 1 halves the inner path and ends at
/// x = 2, where the true slope is 1; the minimum is at 1.5.
#[test]
fn one_step_leads_to_a_wrong_x() {
    let inner = Closures::<f64>::new(
        1,
        1,
        |x, y, _| (y[0] - x[0]).powi(2) / 2.0,
        |x, y, _, out| out[0] += y[0] - x[0],
    )
    .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0])
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] -= v[0];
        },
        |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0],
    );
    let outer = Closures::<f64>::new(
        1,
        1,
        |x, y, _| y[0].powi(2) / 2.0 + (x[0] - 3.0).powi(2) / 2.0,
        |_, y, _, out| out[0] += y[0],
    )
    .with_grad_x(|x, _, _, out| out[0] += x[0] - 3.0);
    let problem = Problem::new(inner, outer, FixedStart(vec![0.0])).unwrap();
    let gradient = |method: &Unrolled<f64>, x: f64| estimate(method, &problem, &[x]).0[0];
    let (exact, truncated) = (
        unrolled(0.5, 200, Reverse),
        unrolled(0.5, 200, Truncated { last: 1 }),
    );
    assert!((gradient(&truncated, 1.5) + 0.75).abs() < 1e-12);
    assert!(gradient(&exact, 1.5).abs() < 1e-12);
    assert!(gradient(&truncated, 2.0).abs() < 1e-12);
    assert!((gradient(&exact, 2.0) - 1.0).abs() < 1e-12);
    for (method, end) in [(&truncated, 2.0), (&exact, 1.5)] {
        let optimizer = Sgd::new(0.2);
        let mut state = RunState::new(vec![0.0], &optimizer);
        Driver::new(&problem, method, &optimizer, Key::from_seed(0))
            .outer_steps(200)
            .run(&mut state)
            .unwrap();
        assert!((state.x[0] - end).abs() < 1e-9, "{}", state.x[0]);
    }
}
