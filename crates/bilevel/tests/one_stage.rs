//! Methods that differentiate one step, a truncated trajectory or an average: one-stage, T1–T2,
//! IAPTT-GM and sl-BAMM against numbers worked out by hand, and the test problems of their papers.

use std::f64::consts::PI;

use crate::common::toys::{
    assert_near, estimates, lopsided, non_unique, quadratic, run, run_in, run_with,
};
use bilevel::optimizer::Projected;
use bilevel::{
    At, Bamm, Bounds, Closures, Field, FirstOrder, FixedStart, GradientDescent, Hyper,
    HyperGradient, Iaptt, Key, Memory, OneStage, Problem, Schedule, Sequence, Set, Sgd, StartFromX,
    T1T2, Unrolled,
};

fn descent(step_size: f64) -> GradientDescent<f64> {
    GradientDescent {
        step_size: Hyper::Fixed(step_size),
        ..GradientDescent::default()
    }
}

fn t1t2(dynamics: GradientDescent<f64>, steps: usize) -> T1T2<f64> {
    T1T2 {
        dynamics: Box::new(dynamics),
        steps,
    }
}

#[test]
fn one_step_of_one_stage() {
    let method = OneStage {
        step_size: 0.1,
        look_ahead: 0.05,
        ..OneStage::default()
    };
    // At x = 1: y = 0.6 and 1.02. y' = 0.6 − 0.05 · 3 (0.6 − 2) = 0.81, f_y = y', f_x = y', the
    // difference is exactly −6 f_y: h = 0.81 + 0.05 · 6 · 0.81.
    let (h, reports) = estimates(&method, &lopsided(), &[1.0], 2);
    assert_near("h", h[0][0], 0.81 * 1.3, 1e-12);
    assert_near("y", reports[0].y[0], 0.6, 1e-12);
    assert_near("f", reports[0].value, 0.08 + 0.6, 1e-12);
    // Then y' = 1.02 + 0.147.
    assert_near("next h", h[1][0], 1.167 * 1.3, 1e-12);
    let first_order = OneStage {
        look_ahead: 0.0,
        ..method.clone()
    };
    let (h, _) = estimates(&first_order, &lopsided(), &[1.0], 1);
    assert_near("first-order h", h[0][0], 0.6, 1e-12);
    // With weights 0.5 on g and 0.5 · 3 on f.
    let aggregate = OneStage {
        field: Field::Aggregate {
            schedule: Schedule::Constant { weight: 0.5 },
            outer_scale: 3.0,
        },
        ..method
    };
    // y = 0 − 0.1 (−3 + 0) = 0.3; d = 1.5 (0.3 − 2) + 1.5 · 0.3 = −2.1, y' = 0.405;
    // (∂d/∂x)ᵀ f_y = (0.5 (−6) + 1.5) f_y.
    let (h, reports) = estimates(&aggregate, &lopsided(), &[1.0], 1);
    assert_near("y", reports[0].y[0], 0.3, 1e-12);
    assert_near("aggregate h", h[0][0], 0.405 * (1.0 + 0.05 * 1.5), 1e-12);
}

#[test]
fn one_step_of_t1t2() {
    // y: 0 → 0.6 → 1.02, h = 1.02 + 0.1 · 6 · 1.02.
    let (h, reports) = estimates(&t1t2(descent(0.1), 2), &lopsided(), &[1.0], 2);
    assert_near("h", h[0][0], 1.02 * 1.6, 1e-12);
    assert_near("y", reports[0].y[0], 1.02, 1e-12);
    // → 1.314 → 1.5198
    assert_near("next h", h[1][0], 1.5198 * 1.6, 1e-12);
}

/// g = cos(x₁ y₁ + y₂) + e^x₂ y₂², f = (y₁ − 0.3)⁴ + y₂²: no derivative is constant.
fn wavy() -> Problem<f64> {
    let g = Closures::<f64>::new(
        2,
        2,
        |x, y, _| (x[0] * y[0] + y[1]).cos() + x[1].exp() * y[1].powi(2),
        |x, y, _, out| {
            let sin = (x[0] * y[0] + y[1]).sin();
            out[0] -= x[0] * sin;
            out[1] += 2.0 * x[1].exp() * y[1] - sin;
        },
    )
    .with_grad_x(|x, y, _, out| {
        out[0] -= y[0] * (x[0] * y[0] + y[1]).sin();
        out[1] += x[1].exp() * y[1].powi(2);
    });
    let g = bilevel::objective::FiniteDifference::new(g);
    let f = Closures::<f64>::new(
        2,
        2,
        |_, y, _| (y[0] - 0.3).powi(4) + y[1].powi(2),
        |_, y, _, out| {
            out[0] += 4.0 * (y[0] - 0.3).powi(3);
            out[1] += 2.0 * y[1];
        },
    );
    Problem::new(g, f, FixedStart(vec![0.9, -0.4])).unwrap()
}

/// Only the last step is differentiated: three steps are two and one more.
#[test]
fn t1t2_differentiates_the_last_step_alone() {
    let (problem, x, key) = (wavy(), [0.7, -0.2], Key::from_seed(0));
    let (mut memory, mut h) = (Memory::default(), [0.0; 2]);
    let mut go_on = |steps| {
        t1t2(descent(0.3), steps)
            .estimate(&At::new(&problem, &x, key), &mut memory, &mut h)
            .unwrap();
        h
    };
    let (two, three) = (go_on(2), go_on(1));
    let whole = estimates(&t1t2(descent(0.3), 3), &problem, &x, 1).0;
    assert_eq!(whole[0], three);
    assert_ne!(two, three);
}

/// Where ψ is not quadratic, the difference is the product up to O(radius²): one step from the
/// same y gives what T1–T2 gives.
#[test]
fn the_difference_is_the_product() {
    let problem = wavy();
    let x = [0.7, -0.2];
    let exact = estimates(&t1t2(descent(0.3), 1), &problem, &x, 1).0;
    // The step before the look-ahead is too short to matter.
    let by_radius = |radius| {
        let method = OneStage {
            step_size: 1e-13,
            look_ahead: 0.3,
            radius,
            ..OneStage::default()
        };
        let found = estimates(&method, &problem, &x, 1).0;
        bilevel::vector::relative_difference(&found[0], &exact[0])
    };
    let (coarse, fine) = (by_radius(0.1), by_radius(0.01));
    assert!(fine < 1e-4, "{fine}");
    assert!(
        (coarse / fine / 100.0 - 1.0).abs() < 0.05,
        "{coarse} {fine}"
    );
}

/// Where the weight α = σ(x₂) of the aggregate is learned, its derivative comes without a difference.
#[test]
fn learned_weights_are_part_of_the_difference() {
    let g = Closures::<f64>::new(
        2,
        1,
        |x, y, _| 1.5 * (y[0] - 2.0 * x[0]).powi(2),
        |x, y, _, out| out[0] += 3.0 * (y[0] - 2.0 * x[0]),
    )
    .with_grad_x(|x, y, _, out| out[0] -= 6.0 * (y[0] - 2.0 * x[0]));
    let f = Closures::<f64>::new(
        2,
        1,
        |_, y, _| (y[0] - 5.0).powi(2) / 2.0,
        |_, y, _, out| out[0] += y[0] - 5.0,
    );
    let problem = Problem::new(g, f, FixedStart(vec![0.0])).unwrap();
    let method = OneStage {
        step_size: 1e-13,
        look_ahead: 0.1,
        field: Field::Aggregate {
            schedule: Schedule::Learned { first: 1, count: 1 },
            outer_scale: 2.0,
        },
        ..OneStage::default()
    };
    method.validate(&problem).unwrap();
    let h = &estimates(&method, &problem, &[1.0, 0.0], 1).0[0];
    // d = −6 (1 − α) − 10 α = −8, y' = 0.8, v = −4.2, dd/dα = −4, dα/dx₂ = 1/4, dd/dx₁ = −3.
    assert_near("h_1", h[0], -0.1 * -3.0 * -4.2, 1e-9);
    assert_near("h_2", h[1], -0.1 * -4.0 * -4.2 / 4.0, 1e-9);
}

/// Both end where y = x and x − 3 + s (x − 1) = 0: the first term of the Neumann series.
#[test]
fn one_differentiated_step_ends_short_of_the_optimum() {
    for s in [0.1, 0.5, 1.0] {
        let expected = (3.0 + s) / (1.0 + s);
        let one_stage = OneStage {
            step_size: s,
            look_ahead: s,
            ..OneStage::default()
        };
        let ends = [
            run(&t1t2(descent(s), 1), &quadratic(0.0), 0.1, 1_000),
            run(&t1t2(descent(s), 3), &quadratic(0.0), 0.1, 1_000),
            run(&one_stage, &quadratic(0.0), 0.1, 1_000),
        ];
        for [x, y] in ends {
            assert_near("x", x, expected, 1e-9);
            assert_near("y", y, expected, 1e-9);
        }
    }
}

/// With y ≤ 1.5 and x beyond, y* no longer depends on x: optimum x = 3, y = 1.5. Inside a ball of
/// radius 1 in two numbers the derivative of the projection turns v.
#[test]
fn projections_are_differentiated() {
    let bounds = Bounds::uniform(-1.0, 1.5).unwrap();
    let one_stage = OneStage {
        step_size: 0.5,
        look_ahead: 0.5,
        set: Set::Box(bounds.clone()),
        ..OneStage::default()
    };
    let boxed = GradientDescent {
        set: Set::Box(bounds),
        ..descent(0.5)
    };
    for [x, y] in [
        run(&one_stage, &quadratic(0.0), 0.1, 1_000),
        run(&t1t2(boxed, 1), &quadratic(0.0), 0.1, 1_000),
    ] {
        assert_near("x", x, 3.0, 1e-9);
        assert_near("y", y, 1.5, 1e-12);
    }
    // g = ‖y − x‖²/2, f = y₁: with ξ = 1 the step ends at P(x) = x/‖x‖, and the gradient of its
    // first number is (x₂², −x₁ x₂)/‖x‖³.
    let g = Closures::<f64>::new(
        2,
        2,
        |x, y, _| ((y[0] - x[0]).powi(2) + (y[1] - x[1]).powi(2)) / 2.0,
        |x, y, _, out| (0..2).for_each(|i| out[i] += y[i] - x[i]),
    )
    .with_grad_x(|x, y, _, out| (0..2).for_each(|i| out[i] += x[i] - y[i]));
    let f = Closures::<f64>::new(2, 2, |_, y, _| y[0], |_, _, _, out| out[0] += 1.0);
    let problem = Problem::new(g, f, FixedStart(vec![0.1, 0.2])).unwrap();
    let method = OneStage {
        look_ahead: 1.0,
        set: Set::Ball { radius: 1.0 },
        ..OneStage::default()
    };
    let h = &estimates(&method, &problem, &[1.2, -1.6], 1).0[0];
    assert_near("h_1", h[0], 2.56 / 8.0, 1e-12);
    assert_near("h_2", h[1], 1.92 / 8.0, 1e-12);
}

fn iaptt(dynamics: GradientDescent<f64>, steps: usize) -> Iaptt<f64> {
    Iaptt {
        unrolled: Unrolled {
            dynamics: Box::new(dynamics),
            steps,
            ..Unrolled::default()
        },
        ..Iaptt::default()
    }
}

#[test]
fn one_step_of_iaptt() {
    // f = (y − 1)²/2 + x y at x = 1: y: 0 → 0.6 → 1.02, the second is worse. dy_2/dx = 0.6 + 0.7 · 0.6,
    // dy_2/dz = 0.49, f_y = y.
    let method = iaptt(descent(0.1), 2);
    let mut memory = Memory::default();
    let mut h = [0.0];
    let key = Key::from_seed(0);
    let report = method
        .estimate(&At::new(&lopsided(), &[1.0], key), &mut memory, &mut h)
        .unwrap();
    assert_near("h", h[0], 1.02 + 1.02 * 1.02, 1e-12);
    assert_eq!(report.figure("truncation"), Some(2.0));
    let z = memory.vector("z").unwrap()[0];
    assert_near("z", z, -0.1 * 0.49 * 1.02, 1e-12);
    // At x = 0.2 from z = 3: y: 3 → 2.22: the first is worse.
    memory.set_vector("z", &[3.0]);
    let report = method
        .estimate(
            &At::new(&lopsided(), &[0.2], key).outer_step(1),
            &mut memory,
            &mut h,
        )
        .unwrap();
    assert_eq!(report.figure("truncation"), Some(1.0));
    assert_near("y", report.y[0], 2.22, 1e-12);
    assert_near("f", report.value, 1.22_f64.powi(2) / 2.0 + 0.444, 1e-12);
    assert_near("h", h[0], 2.22 + 0.6 * 1.42, 1e-12);
    let z = memory.vector("z").unwrap()[0];
    assert_near("z", z, 3.0 - 0.1 * 0.7 * 1.42, 1e-12);
}

/// f = x + xy, g = −sin(xy), x in [1, 10], z in [−2, 2]: optimum x = 11π/4, y = −2.
#[test]
fn iaptt_on_the_sine() {
    let g = Closures::<f64>::new(
        1,
        1,
        |x, y, _| -(x[0] * y[0]).sin(),
        |x, y, _, out| out[0] -= x[0] * (x[0] * y[0]).cos(),
    )
    .with_grad_x(|x, y, _, out| out[0] -= y[0] * (x[0] * y[0]).cos())
    .with_second_order(
        |x, y, _, v, y_bar, x_bar| {
            let (sin, cos) = (x[0] * y[0]).sin_cos();
            y_bar[0] += x[0] * x[0] * sin * v[0];
            x_bar[0] += (x[0] * y[0] * sin - cos) * v[0];
        },
        |x, y, _, dx, dy, out| {
            let (sin, cos) = (x[0] * y[0]).sin_cos();
            out[0] += x[0] * x[0] * sin * dy[0] + (x[0] * y[0] * sin - cos) * dx[0];
        },
    );
    let f = Closures::<f64>::new(
        1,
        1,
        |x, y, _| x[0] + x[0] * y[0],
        |x, _, _, out| out[0] += x[0],
    )
    .with_grad_x(|_, y, _, out| out[0] += 1.0 + y[0]);
    let problem = Problem::new(g, f, FixedStart(vec![2.0])).unwrap();
    let method = Iaptt {
        set: Set::Box(Bounds::uniform(-2.0, 2.0).unwrap()),
        ..iaptt(descent(0.0005), 40)
    };
    // The largest f over the trajectory has a kink at the optimum, with slopes of −1 and about 2:
    // steps of 0.1 go to and fro across it, shrinking ones settle (and from x = 1 at the kink before).
    let (x, report) = run_in(&method, &problem, (0.1, [1.0, 10.0]), vec![1.0], 500);
    assert_near("x", x[0], 5.5 * PI / 2.0, 0.3);
    assert_near("y", report.y[0], -2.0, 0.05);
    let optimizer = Projected {
        optimizer: Sgd {
            rate: 0.1,
            decay: 0.02,
        },
        bounds: Bounds::uniform(1.0, 10.0).unwrap(),
    };
    let (x, report) = run_with(&method, &problem, &optimizer, vec![8.0], 2_000);
    assert_near("x", x[0], 5.5 * PI / 2.0, 0.01);
    assert_near("y", report.y[0], -2.0, 0.01);
}

/// Without a learned start, and f falling along the trajectory reversed, it is plain unrolling.
#[test]
fn iaptt_with_a_start_from_x_is_truncated_unrolling() {
    let objective = |target: f64| {
        Closures::<f64>::new(
            1,
            1,
            move |_, y, _| (y[0] - target).powi(2) / 2.0,
            move |_, y, _, out| out[0] += y[0] - target,
        )
        .with_second_order(
            |_, _, _, v, y_bar, _| y_bar[0] += v[0],
            |_, _, _, _, dy, out| out[0] += dy[0],
        )
    };
    // Training to 0 moves away from f's 5: the last step is the worst.
    let problem = Problem::new(objective(0.0), objective(5.0), StartFromX::new(0..1)).unwrap();
    let learned = iaptt(descent(0.1), 7);
    assert!(learned.validate(&problem).is_err());
    let from_x = Iaptt {
        start_step_size: None,
        ..learned
    };
    from_x.validate(&problem).unwrap();
    assert_eq!(from_x.remembers(), bilevel::Remembers::Nothing);
    let (h, reports) = estimates(&from_x, &problem, &[3.0], 1);
    assert_eq!(reports[0].figure("truncation"), Some(7.0));
    let (plain, _) = estimates(&from_x.unrolled, &problem, &[3.0], 1);
    assert_eq!(h, plain);
    // Any adjoint will do; f is worst at the first step on the way to its minimum.
    let toward = Problem::new(objective(5.0), objective(5.0), StartFromX::new(0..1)).unwrap();
    let first_order = Iaptt {
        unrolled: Unrolled {
            dynamics: Box::new(descent(0.1)),
            steps: 7,
            adjoint: Box::new(FirstOrder),
        },
        start_step_size: None,
        set: Set::All,
    };
    let (h, reports) = estimates(&first_order, &toward, &[3.0], 1);
    assert_eq!(reports[0].figure("truncation"), Some(1.0));
    assert_near("h", h[0][0], 3.2 - 5.0, 1e-12);
}

#[test]
fn one_step_of_bamm() {
    let method = Bamm {
        weight: Sequence::Power {
            start: 0.5,
            power: -1.0,
        },
        step_size: 0.1,
        v_step_size: 0.2,
        decay: 2.0,
        inner_power: 1.0,
        outer_power: 2.0,
        set: Set::All,
    };
    let mut memory = Memory::default();
    let mut h = [0.0];
    let key = Key::from_seed(0);
    memory.set_vector("y", &[1.0]);
    memory.set_vector("v", &[0.4]);
    // k = 0 at x = 1: μ = 0.5, φ_yy = 2, φ_xy = −2.5, φ_y = 0.5 (−3) + 0.5 · 1 = −1, f_y = f_x = 1.
    method
        .estimate(&At::new(&lopsided(), &[1.0], key), &mut memory, &mut h)
        .unwrap();
    assert_near("h", h[0], 0.25 * (1.0 + 2.5 * 0.4), 1e-12);
    let of = |memory: &Memory<f64>, name| memory.vector(name).unwrap()[0];
    assert_near("y", of(&memory, "y"), 1.0 + 0.1 * 0.5, 1e-12);
    assert_near("v", of(&memory, "v"), 0.4 - 0.2 * 0.5 * (0.8 - 1.0), 1e-12);
    // k = 1: μ = 0.25, φ_yy = 2.5, φ_xy = −4.25, (k+1)^(−τ/2) = 1/2, (k+1)^(−3τ/2) = 1/8.
    let (y, v) = (1.05, 0.42);
    let report = method
        .estimate(
            &At::new(&lopsided(), &[1.0], key).outer_step(1),
            &mut memory,
            &mut h,
        )
        .unwrap();
    assert_near("h", h[0], 0.0625 / 8.0 * (y + 4.25 * v), 1e-12);
    let phi_y = 0.75 * 3.0 * (y - 2.0) + 0.25 * y;
    assert_near("y", of(&memory, "y"), y - 0.1 * 0.125 * phi_y, 1e-12);
    assert_near(
        "v",
        of(&memory, "v"),
        v - 0.2 * 0.125 * (2.5 * v - y),
        1e-12,
    );
    let residual = report.figure("residual").unwrap();
    assert_near("residual", residual, (2.5_f64 * v - y).abs(), 1e-12);
}

/// With constant μ the limit is that of φ: y = (1 − μ) x + μ and x − 3 + (1 − μ)² (x − 1) = 0.
#[test]
fn bamm_ends_at_the_optimum_of_the_average() {
    for mu in [0.5_f64, 0.1, 0.001] {
        let method = Bamm {
            weight: Sequence::Constant { value: mu },
            outer_power: 0.0,
            decay: 0.0,
            ..Bamm::default()
        };
        let square = (1.0 - mu).powi(2);
        let expected = (3.0 + square) / (1.0 + square);
        let [x, y] = run(&method, &quadratic(0.0), 0.05, 2_000);
        assert_near("x", x, expected, 1e-9);
        assert_near("y", y, (1.0 - mu) * expected + mu, 1e-9);
    }
}

/// The default run of the paper's code: 100 numbers, from 0.01, 10 000 steps.
#[test]
fn bamm_on_the_problem_with_many_inner_solutions() {
    let method = Bamm::default();
    let problem = non_unique(100, 0.01);
    let bounds = [-100.0, 100.0];
    let (x, report) = run_in(&method, &problem, (0.1, bounds), vec![0.01; 100], 10_000);
    let worst = |values: &[f64]| values.iter().fold(0.0, |w: f64, v| w.max((v - 1.0).abs()));
    assert!(worst(&x) < 1e-7 && worst(&report.y) < 1e-7);
}
