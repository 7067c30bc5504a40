//! Value-function and penalty methods: each update against numbers worked out by hand, their
//! biased limits in closed form, and the test problems of their papers.

use std::f64::consts::PI;

use crate::common::toys::{
    assert_near, estimates, lopsided, non_unique, quadratic, run, run_in, run_with,
};
use bilevel::{
    Adam, At, Barrier, Bome, Bvfsm, Closures, F2sa, FixedStart, HyperGradient, Key, Meha, Memory,
    Pbgd, Problem, Sequence, Set,
};

fn constant(value: f64) -> Sequence {
    Sequence::Constant { value }
}

/// At x = 1 the first estimates of h and what follows for y, for `lopsided`.
fn assert_steps(method: &dyn HyperGradient<f64>, h: &[f64], y: &[f64]) {
    let (found, reports) = estimates(method, &lopsided(), &[1.0], h.len());
    for (k, (&h, &y)) in h.iter().zip(y).enumerate() {
        assert_near(&format!("h_{k}"), found[k][0], h, 1e-12);
        assert_near(&format!("y_{k}"), reports[k].y[0], y, 1e-12);
        let value = (y - 1.0).powi(2) / 2.0 + y;
        assert_near(&format!("f_{k}"), reports[k].value, value, 1e-12);
    }
}

#[test]
fn one_step_of_f2sa() {
    let method = F2sa {
        steps: 2,
        step_size: 0.1,
        y_step_size: 0.2,
        penalty: constant(4.0),
        set: Set::All,
    };
    // z: 0 → 0.6 → 1.02.  y with 0.2/4: 0 − 0.05 (0 − 24) = 1.2;
    // 1.2 − 0.05 (1.2 + 12 (1.2 − 2)) = 1.62.  h = 1.62 + 4 (−6)(1.62 − 1.02).
    assert_steps(&method, &[1.62 - 24.0 * 0.6], &[1.62]);
    let report = &estimates(&method, &lopsided(), &[1.0], 1).1[0];
    assert_near("penalty", report.figure("penalty").unwrap(), 4.0, 0.0);
    // 1.5 (0.38² − 0.98²)
    assert_near("gap", report.figure("gap").unwrap(), -1.224, 1e-12);
    assert_near("distance", report.figure("distance").unwrap(), 0.6, 1e-12);
}

#[test]
fn one_step_of_pbgd() {
    let warm = Pbgd {
        steps: 1,
        step_size: 0.1,
        y_step_size: 0.2,
        penalty: constant(4.0),
        start_at_y: false,
        set: Set::All,
    };
    // z_1 = 0.6: h = [0 + 4 (−6)(0 − 0.6)]/4 = 3.6, y = 0 − 0.05 (0 − 24) = 1.2.
    // z_2 = 1.02: h = [1.2 − 24 (1.2 − 1.02)]/4, y = 1.2 − 0.05 (1.2 − 9.6) = 1.62.
    assert_steps(&warm, &[3.6, (1.2 - 24.0 * 0.18) / 4.0], &[1.2, 1.62]);
    // Below 1 the penalty does not scale the step: h = 3 · 0.6, y = 0.2 · 0.5 · 6.
    let weak = Pbgd {
        penalty: constant(0.5),
        ..warm.clone()
    };
    assert_steps(&weak, &[1.8], &[0.6]);
    let again = Pbgd {
        start_at_y: true,
        ..warm
    };
    // Then z_2 = 1.2 + 0.3 · 0.8 = 1.44.
    assert_steps(&again, &[3.6, (1.2 + 24.0 * 0.24) / 4.0], &[1.2, 1.62]);
}

#[test]
fn one_step_of_bome() {
    let method = Bome {
        steps: 1,
        step_size: 0.1,
        y_step_size: 0.05,
        rate: 0.5,
        ..Bome::default()
    };
    // z = 0.6, ∇f = (0, 0), ∇q = (12 − 8.4, −6), λ = 0.5: h = 1.8, y = 0.05 · 3.
    // At y = 0.15, z = 0.15 + 0.3 · 1.85 = 0.705: ∇f = (0.15, 0.15), ∇q = (6 · 0.555, −3 · 1.85).
    let (q_x, q_y) = (3.33, -5.55);
    let multiplier = 0.5 - 0.15 * (q_x + q_y) / (q_x * q_x + q_y * q_y);
    assert_steps(
        &method,
        &[1.8, 0.15 + multiplier * q_x],
        &[0.15, 0.15 - 0.05 * (0.15 + multiplier * q_y)],
    );
    // φ = q = 1.5 (4 − 1.96) = 3.06 at first, ‖∇q‖² = 48.96.
    let by_gap = Bome {
        barrier: Barrier::Gap,
        ..method
    };
    let multiplier: f64 = 0.5 * 3.06 / 48.96;
    assert_steps(&by_gap, &[multiplier * 3.6], &[0.05 * multiplier * 6.0]);
}

/// Where f falls along with the gap, λ = 0. At x = 1, y = 2.2: ∇f = (2.2, 2.2), z = 2.14,
/// ∇q = (−0.36, 0.6), ⟨∇f, ∇q⟩ = 0.528, ‖∇q‖² = 0.4896.
#[test]
fn bome_follows_f_alone_where_that_closes_the_gap() {
    let method = Bome {
        steps: 1,
        y_step_size: 0.05,
        ..Bome::default()
    };
    let (mut memory, mut h) = (Memory::default(), [0.0]);
    memory.set_vector("y", &[2.2]);
    let report = method
        .estimate(
            &At::new(&lopsided(), &[1.0], Key::from_seed(0)),
            &mut memory,
            &mut h,
        )
        .unwrap();
    assert_eq!(report.figure("multiplier"), Some(0.0));
    assert_near("h", h[0], 2.2, 1e-12);
    assert_near("y", report.y[0], 2.09, 1e-12);
}

#[test]
fn one_step_of_meha() {
    let method = Meha {
        step_size: 0.1,
        y_step_size: 0.2,
        proximal: 0.5,
        penalty: Sequence::Power {
            start: 4.0,
            power: 1.0,
        },
        set: Set::All,
    };
    // z_1 = 0.1 · 6 = 0.6: h = 0/4 − 6 (0 − 0.6) = 3.6, y stays.
    // y_1 = 0 − 0.2 (0/4 − 6 − 2 (0 − 0.6)) = 0.96 with the first c,
    // z_2 = 0.6 − 0.1 (3 (−1.4) + 2 (0.6 − 0.96)) = 1.092, h = 0.96/8 − 6 (0.96 − 1.092).
    // y_2 = 0.96 − 0.2 (0.96/8 − 3.12 + 2 · 0.132) = 1.5072,
    // z_3 = 1.092 − 0.1 (3 (−0.908) + 2 (1.092 − 1.5072)) = 1.44744.
    assert_steps(
        &method,
        &[
            3.6,
            0.12 + 6.0 * 0.132,
            1.5072 / 12.0 - 6.0 * (1.5072 - 1.44744),
        ],
        &[0.0, 0.96, 1.5072],
    );
}

#[test]
fn one_step_of_bvfsm() {
    let method = Bvfsm {
        z_steps: 1,
        y_steps: 1,
        step_size: 0.1,
        y_step_size: 0.01,
        value_regularisation: constant(0.25),
        y_regularisation: constant(0.5),
        barrier: constant(2.0),
        slack: 8.0,
        largest_multiplier: constant(3.0),
        set: Set::All,
    };
    // z = 0.6; r = 1.5 · 1.96 + 0.25 · 0.36 + 8 − 6 = 5.03, w = 2/5.03 at y = 0;
    // y = 0 − 0.01 (0 + 0 − 6 w).
    let y: f64 = 0.06 * 2.0 / 5.03;
    let w = 2.0 / (2.94 + 0.09 + 8.0 - 1.5 * (y - 2.0).powi(2));
    assert_steps(&method, &[y - 6.0 * w * (y - 0.6)], &[y]);
    // From there z = 1.02 − 0.1 · 0.5 · 0.6 = 0.99.
    let room = 1.5 * 1.01_f64.powi(2) + 0.25 * 0.99 * 0.99 + 8.0 - 1.5 * (y - 2.0).powi(2);
    let next = y - 0.01 * (y + y + 2.0 / room * 3.0 * (y - 2.0));
    let (_, reports) = estimates(&method, &lopsided(), &[1.0], 2);
    assert_near("y_1", reports[1].y[0], next, 1e-12);
    // Just inside, r = 0.03, the slope of the logarithm is beyond the cap; at the next y it is not.
    let near = Bvfsm {
        slack: 3.0,
        ..method.clone()
    };
    let y: f64 = 0.01 * 6.0 * 3.0;
    let w = 2.0 / (6.03 - 1.5 * (y - 2.0).powi(2));
    assert_steps(&near, &[y - 6.0 * w * (y - 0.6)], &[y]);
    // Outside w is the cap.
    let capped = Bvfsm {
        slack: 0.0,
        ..method
    };
    let y = 0.01 * 6.0 * 3.0;
    assert_steps(&capped, &[y - 6.0 * 3.0 * (y - 0.6)], &[y]);
}

/// With penalty γ the limit is x = (3 + 4γ)/(1 + 2γ), y = (1 + 4γ)/(1 + 2γ): min f + γ (y − x)²/2.
fn assert_penalised(what: &str, [x, y]: [f64; 2], gamma: f64, tolerance: f64) {
    let of = |first: f64| (first + 4.0 * gamma) / (1.0 + 2.0 * gamma);
    assert_near(&format!("x of {what}, {gamma}"), x, of(3.0), tolerance);
    assert_near(&format!("y of {what}, {gamma}"), y, of(1.0), tolerance);
}

#[test]
fn penalties_end_at_the_optimum_of_the_penalised_problem() {
    for gamma in [0.5, 2.0, 10.0, 100.0] {
        let f2sa = F2sa {
            steps: 5,
            step_size: 0.5,
            y_step_size: 0.5,
            penalty: constant(gamma),
            ..F2sa::default()
        };
        let end = run(&f2sa, &quadratic(0.0), 0.2, 400);
        assert_penalised("f2sa", end, gamma, 1e-9);
        let pbgd = Pbgd {
            step_size: 0.5,
            y_step_size: 0.3,
            penalty: constant(gamma),
            ..Pbgd::default()
        };
        let end = run(&pbgd, &quadratic(0.0), 0.3, 10_000);
        assert_penalised("pbgd", end, gamma, 1e-9);
        // The envelope of (y − x)²/2 at γ is (y − x)²/(2(1 + γ)), so g − v is γ/(1 + γ) of it.
        let meha = Meha {
            step_size: 0.2,
            y_step_size: 0.3,
            proximal: 2.0,
            penalty: constant(gamma),
            ..Meha::default()
        };
        let end = run(&meha, &quadratic(0.0), 0.3, 10_000);
        assert_penalised("meha", end, gamma * 2.0 / 3.0, 1e-9);
        let tiny = constant(1e-14);
        let bvfsm = Bvfsm {
            step_size: 0.5,
            y_step_size: 0.015,
            value_regularisation: tiny,
            y_regularisation: tiny,
            barrier: tiny,
            largest_multiplier: constant(gamma),
            ..Bvfsm::default()
        };
        let end = run(&bvfsm, &quadratic(0.0), 0.01, 3_000);
        assert_penalised("bvfsm", end, gamma, 1e-6);
    }
}

#[test]
fn growing_penalties_end_at_the_solution() {
    let f2sa = F2sa {
        step_size: 0.5,
        y_step_size: 0.5,
        penalty: Sequence::Power {
            start: 10.0,
            power: 0.5,
        },
        ..F2sa::default()
    };
    let [x, y] = run(&f2sa, &quadratic(0.0), 0.2, 10_000);
    // λ = 1000: x − 2 = 1/(1 + 2λ), y − 2 = −1/(1 + 2λ), and x lags behind a little.
    assert_near("x", x, 2.0, 6e-4);
    assert_near("y", y, 2.0, 6e-4);
    let meha = Meha {
        step_size: 0.3,
        y_step_size: 0.3,
        ..Meha::default()
    };
    let ends = [100, 10_000].map(|steps| run(&meha, &quadratic(0.0), 0.3, steps)[0] - 2.0);
    // c = 3.2 and 10: the bias is 1/(1 + c).
    assert_near("bias at c = 3.2", ends[0], 1.0 / 4.2, 0.02);
    assert_near("bias at c = 10", ends[1], 1.0 / 11.0, 1e-3);
}

/// A step of the inner loop contracts by ρ: with κ = 1 − ρ^T, ∇q = (−κ, 1)(y − x), and the limit has
/// (x − 3) + κ (x − 1) = 0 and y = x but for the damping: ‖∇q‖³ = δ ‖∇f‖/η.
#[test]
fn bome_ends_where_its_inner_loop_lets_it() {
    for (steps, step_size) in [(1, 0.5), (10, 0.1), (100, 0.3)] {
        for barrier in [Barrier::SquaredNorm, Barrier::Gap] {
            let method = Bome {
                steps,
                step_size,
                y_step_size: 0.05,
                barrier,
                ..Bome::default()
            };
            let kappa = 1.0 - (1.0 - step_size).powi(steps as i32);
            let expected = (3.0 + kappa) / (1.0 + kappa);
            let [x, y] = run(&method, &quadratic(0.0), 0.05, 5_000);
            assert_near("x of bome", x, expected, 2e-4);
            assert_near("y of bome", y, expected, 2e-4);
            if barrier == Barrier::SquaredNorm {
                let size = (y - x).abs() * kappa.hypot(1.0);
                let f_size = (expected - 3.0).hypot(expected - 1.0);
                let limit = (1e-12 * f_size / 0.5).cbrt();
                assert_near("‖∇q‖", size, limit, 0.01 * limit);
            }
        }
    }
}

/// Inside the barrier the limit solves the stationarity conditions, written down anew here.
#[test]
fn bvfsm_ends_at_a_stationary_point_of_the_barrier_problem() {
    let method = Bvfsm {
        step_size: 0.3,
        y_step_size: 0.05,
        value_regularisation: constant(0.1),
        y_regularisation: constant(0.05),
        barrier: constant(0.02),
        largest_multiplier: constant(20.0),
        ..Bvfsm::default()
    };
    let [x, y] = run(&method, &quadratic(0.0), 0.1, 2_000);
    let z = x / 1.2;
    let room = (z - x).powi(2) / 2.0 + 0.1 * z * z - (y - x).powi(2) / 2.0;
    assert!(room > 1e-3, "{room}");
    let w = 0.02 / room;
    assert!(w < 20.0, "{w}");
    assert_near("d/dy", y - 1.0 + 0.1 * y + w * (y - x), 0.0, 1e-8);
    assert_near("d/dx", x - 3.0 + w * (z - y), 0.0, 1e-8);
    // The sequence with its decays, and a growing cap, ends near the solution.
    let sequence = Bvfsm {
        step_size: 0.3,
        y_step_size: 0.01,
        largest_multiplier: "linear:1,100,1000".parse().unwrap(),
        ..Bvfsm::default()
    };
    let [x, y] = run(&sequence, &quadratic(0.0), 0.01, 3_000);
    assert_near("x", x, 2.0, 0.01);
    assert_near("y", y, 2.0, 0.01);
}

/// min over y in argmin y₁²/2 − x y₁ with y₂ free: following g alone ends at x = 1/2 or 3/2.
#[test]
fn bome_finds_the_right_one_of_many_inner_solutions() {
    for start in [0.0, 2.0] {
        let method = Bome {
            steps: 50,
            step_size: 0.3,
            ..Bome::default()
        };
        let bounds = [-100.0, 100.0];
        let problem = non_unique(1, start);
        let (x, report) = run_in(&method, &problem, (0.1, bounds), vec![start], 3_000);
        assert_near("x", x[0], 1.0, 1e-6);
        assert_near("y1", report.y[0], 1.0, 1e-6);
        assert_near("y2", report.y[1], 1.0, 1e-6);
    }
}

/// The toy of V-PBGD: f = cos(4y+2)/(1+e^(2−4x)) + ln((4x−2)²+1)/2, g = (x+y)² + x sin²(x+y).
fn pbgd_toy(start: f64) -> Problem<f64> {
    let bump = |x: f64| 1.0 / (1.0 + (2.0 - 4.0 * x).exp());
    let g = Closures::<f64>::new(
        1,
        1,
        |x, y, _| (x[0] + y[0]).powi(2) + x[0] * (x[0] + y[0]).sin().powi(2),
        |x, y, _, out| {
            let u = x[0] + y[0];
            out[0] += 2.0 * u + x[0] * (2.0 * u).sin();
        },
    )
    .with_grad_x(|x, y, _, out| {
        let u = x[0] + y[0];
        out[0] += 2.0 * u + x[0] * (2.0 * u).sin() + u.sin().powi(2);
    });
    let f = Closures::<f64>::new(1, 1, pbgd_outer, move |x, y, _, out| {
        out[0] -= 4.0 * (4.0 * y[0] + 2.0).sin() * bump(x[0]);
    })
    .with_grad_x(move |x, y, _, out| {
        let (bump, z) = (bump(x[0]), 4.0 * x[0] - 2.0);
        out[0] += 4.0 * bump * (1.0 - bump) * (4.0 * y[0] + 2.0).cos() + 4.0 * z / (z * z + 1.0);
    });
    Problem::new(g, f, FixedStart(vec![start])).unwrap()
}

fn pbgd_outer(x: &[f64], y: &[f64], _: bilevel::Draw) -> f64 {
    let z = 4.0 * x[0] - 2.0;
    (4.0 * y[0] + 2.0).cos() / (1.0 + (-z).exp()) + (z * z + 1.0).ln() / 2.0
}

/// From many starts V-PBGD ends near local minima of f(x, −x) over x in [0, 3].
#[test]
fn pbgd_on_its_toy_ends_near_local_minima() {
    let truth = |x: f64| pbgd_outer(&[x], &[-x], bilevel::Draw::All);
    let grid: Vec<f64> = (0..=30_000).map(|i| f64::from(i) * 1e-4).collect();
    let minima: Vec<f64> = grid
        .windows(3)
        .filter(|w| truth(w[1]) <= truth(w[0]) && truth(w[1]) <= truth(w[2]))
        .map(|w| w[1])
        .collect();
    assert!(minima.len() >= 2, "{minima:?}");
    let method = Pbgd {
        penalty: constant(10.0),
        step_size: 0.1,
        y_step_size: 0.1,
        ..Pbgd::default()
    };
    let mut reached = std::collections::BTreeSet::new();
    for i in 0..60 {
        let share = (f64::from(i) * 0.618_033_988_75).fract();
        let (x, y) = (3.0 * share, -5.0 + 13.5 * f64::from(i) / 59.0);
        let (end, report) = run_in(&method, &pbgd_toy(y), (0.1, [0.0, 3.0]), vec![x], 3_000);
        let (x, y) = (end[0], report.y[0]);
        assert!((x + y).abs() < 0.15, "from {i}: x = {x}, y = {y}");
        let near = minima.iter().position(|minimum| (minimum - x).abs() < 0.1);
        reached.insert(near.unwrap_or_else(|| panic!("from {i}: {x} is not near {minima:?}")));
    }
    assert!(reached.len() >= 2, "{reached:?}");
}

/// f = sin²(y − 2π/3) + x²/2, g = y² + 2 sin² y: solution y = 0; at y = 2π/3 both ∇_y f and
/// ∇_y ‖∇_y g‖² vanish, so a penalty on the gradient's norm never leaves it.
#[test]
fn value_functions_leave_the_trap_of_gradient_norms() {
    let trap = 2.0 * PI / 3.0;
    let g_y = |y: f64| 2.0 * y + 2.0 * (2.0 * y).sin();
    let g_yy = |y: f64| 2.0 + 4.0 * (2.0 * y).cos();
    assert!(g_y(trap) > 2.0 && (g_y(trap) * g_yy(trap)).abs() < 1e-12);
    let g = Closures::<f64>::new(
        1,
        1,
        |_, y, _| y[0].powi(2) + 2.0 * y[0].sin().powi(2),
        move |_, y, _, out| out[0] += g_y(y[0]),
    );
    let f = Closures::<f64>::new(
        1,
        1,
        move |x, y, _| (y[0] - trap).sin().powi(2) + x[0].powi(2) / 2.0,
        move |_, y, _, out| out[0] += (2.0 * (y[0] - trap)).sin(),
    )
    .with_grad_x(|x, _, _, out| out[0] += x[0]);
    let problem = Problem::new(g, f, FixedStart(vec![trap])).unwrap();
    let methods: [(&str, Box<dyn HyperGradient<f64>>); 5] = [
        ("pbgd", Box::new(Pbgd::default())),
        ("f2sa", Box::new(F2sa::default())),
        ("bome", Box::new(Bome::default())),
        (
            "meha",
            Box::new(Meha {
                penalty: constant(20.0),
                ..Meha::default()
            }),
        ),
        ("bvfsm", Box::new(Bvfsm::default())),
    ];
    for (name, method) in methods {
        let [x, y] = run(&*method, &problem, 0.1, 2_000);
        // f_y is about 0.87 at 0 and g_yy = 6: an error of 0.87/(6 · penalty).
        assert!(y.abs() < 0.02 && x.abs() < 1e-9, "{name}: {x}, {y}");
    }
}

/// f = ‖x − a‖² + ‖y − a − c‖², g = Σ sin(x + y_i − c), a = c = 2: with C = 3π/2 the solution is
/// x = (2C − a)/3, y_i = C + c − x.
#[test]
fn bvfsm_on_its_toy() {
    let g = Closures::<f64>::new(
        1,
        2,
        |x, y, _| y.iter().map(|y| (x[0] + y - 2.0).sin()).sum(),
        |x, y, _, out| {
            for (out, y) in out.iter_mut().zip(y) {
                *out += (x[0] + y - 2.0).cos();
            }
        },
    )
    .with_grad_x(|x, y, _, out| {
        out[0] += y.iter().map(|y| (x[0] + y - 2.0).cos()).sum::<f64>();
    });
    let f = Closures::<f64>::new(
        1,
        2,
        |x, y, _| (x[0] - 2.0).powi(2) + y.iter().map(|y| (y - 4.0).powi(2)).sum::<f64>(),
        |_, y, _, out| {
            for (out, y) in out.iter_mut().zip(y) {
                *out += 2.0 * (y - 4.0);
            }
        },
    )
    .with_grad_x(|x, _, _, out| out[0] += 2.0 * (x[0] - 2.0));
    let problem = Problem::new(g, f, FixedStart(vec![0.0, 0.0])).unwrap();
    let method = Bvfsm {
        largest_multiplier: "linear:1,50,400".parse().unwrap(),
        ..Bvfsm::default()
    };
    let (x, report) = run_with(&method, &problem, &Adam::new(0.01), vec![0.0], 1_000);
    let level = 1.5 * PI;
    let expected = (2.0 * level - 2.0) / 3.0;
    assert_near("x", x[0], expected, 0.02);
    for y in &report.y {
        assert_near("y", *y, level + 2.0 - expected, 0.02);
    }
}
