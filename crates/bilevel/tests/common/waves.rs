//! A small smooth problem in both precisions that allocates nothing, and every update rule for it.

use bilevel::dynamics::Adam;
use bilevel::dynamics::Transform::{Exp, Sigmoid};
use bilevel::{
    Bounds, Closures, Draw, Dynamics, ElasticNet, Field, GradientDescent, Hyper, Momentum, Problem,
    ProximalGradient, Scalar, Set, Start,
};

/// h = Σ (sin(y_i) − `scale` x_i)² / 2 over three numbers, from step `from` on (0 before it).
pub(crate) fn waves<T: Scalar>(x_len: usize, scale: f64, from: u64) -> Closures<T> {
    let on = move |draw| match draw {
        Draw::Step { step, .. } if step < from => T::zero(),
        _ => T::one(),
    };
    let scale = T::from_f64(scale);
    let r = move |x: &[T], y: &[T], i: usize| y[i].sin() - scale * x[i];
    let curvature =
        move |x: &[T], y: &[T], i: usize| y[i].cos() * y[i].cos() - r(x, y, i) * y[i].sin();
    let half = T::from_f64(0.5);
    Closures::<T>::new(
        x_len,
        3,
        move |x, y, draw| (0..3).map(|i| on(draw) * half * r(x, y, i).powi(2)).sum(),
        move |x, y, draw, out| (0..3).for_each(|i| out[i] += on(draw) * r(x, y, i) * y[i].cos()),
    )
    .with_grad_x(move |x, y, draw, out| {
        (0..3).for_each(|i| out[i] -= on(draw) * scale * r(x, y, i));
    })
    .with_second_order(
        move |x, y, draw, v, y_bar, x_bar| {
            for i in 0..3 {
                y_bar[i] += on(draw) * curvature(x, y, i) * v[i];
                x_bar[i] -= on(draw) * scale * y[i].cos() * v[i];
            }
        },
        move |x, y, draw, dx, dy, out| {
            for i in 0..3 {
                out[i] += on(draw) * (curvature(x, y, i) * dy[i] - scale * y[i].cos() * dx[i]);
            }
        },
    )
    .with_tape(
        |_| 6,
        move |x, y, draw, out, tape| {
            for i in 0..3 {
                out[i] += on(draw) * r(x, y, i) * y[i].cos();
                tape[i] = on(draw) * curvature(x, y, i);
                tape[3 + i] = -on(draw) * scale * y[i].cos();
            }
        },
        |_, _, _, tape, v, y_bar, x_bar| {
            for i in 0..3 {
                y_bar[i] += tape[i] * v[i];
                x_bar[i] += tape[3 + i] * v[i];
            }
        },
    )
}

/// The inner objective starts at step `from`, see [`waves`].
pub(crate) fn problem<T: Scalar>(start: impl Start<T> + 'static, from: u64) -> Problem<T> {
    Problem::new(waves(8, 1.0, from), waves(8, 0.3, 0), start).unwrap()
}

pub(crate) fn x<T: Scalar>() -> Vec<T> {
    let x = [0.3, -0.5, 0.2, 0.4, -0.2, 0.6, -1.5, 0.9];
    x.into_iter().map(T::from_f64).collect()
}

/// Every rule with every set, all hyperparameters learned.
pub(crate) fn rules<T: Scalar>() -> Vec<(String, Box<dyn Dynamics<T>>)> {
    let learned = |index, transform| Hyper::FromX { index, transform };
    let (step_size, decay) = (learned(6, Exp), learned(7, Sigmoid));
    let field = Field::Aggregate {
        schedule: "learned:0,3".parse().unwrap(),
        outer_scale: 0.7,
    };
    let bounds = Bounds::uniform(T::from_f64(0.1), T::from_f64(0.35)).unwrap();
    let sets = [
        Set::All,
        Set::Box(bounds),
        Set::Ball { radius: 0.4 },
        Set::Simplex { total: 0.5 },
    ];
    let mut all: Vec<(String, Box<dyn Dynamics<T>>)> = Vec::new();
    for set in sets {
        let (field, name) = (field.clone(), format!("{set:?}"));
        let plain = GradientDescent {
            step_size,
            field,
            set,
        };
        let GradientDescent { field, set, .. } = plain.clone();
        let momentum = Momentum {
            step_size,
            momentum: decay,
            nesterov: false,
            field,
            set,
        };
        let nesterov = Momentum {
            nesterov: true,
            ..momentum.clone()
        };
        let GradientDescent { field, set, .. } = plain.clone();
        let l1 = if matches!(set, Set::Simplex { .. }) {
            Hyper::Fixed(0.0)
        } else {
            learned(2, Exp)
        };
        let penalty = ElasticNet {
            l1,
            l2: learned(0, Sigmoid),
        };
        let proximal = ProximalGradient {
            step_size,
            penalty,
            field,
            set,
        };
        let GradientDescent { field, set, .. } = plain.clone();
        let (beta1, beta2, epsilon) = (decay, decay, 1e-2);
        let adam = Adam {
            step_size,
            beta1,
            beta2,
            epsilon,
            field,
            set,
        };
        all.push((format!("gradient descent, {name}"), Box::new(plain)));
        all.push((format!("momentum, {name}"), Box::new(momentum)));
        all.push((format!("nesterov, {name}"), Box::new(nesterov)));
        all.push((format!("proximal gradient, {name}"), Box::new(proximal)));
        all.push((format!("adam, {name}"), Box::new(adam)));
    }
    all
}
