//! Every method that remembers y.

use bilevel::{
    Bamm, Bome, Bvfsm, F2sa, Field, GradientDescent, Hyper, HyperGradient, Iaptt, Meha, OneStage,
    Pbgd, Scalar, Schedule, Set, T1T2, Unrolled,
};

pub(crate) type Method<T> = Box<dyn HyperGradient<T>>;

fn aggregate() -> Field {
    Field::Aggregate {
        schedule: Schedule::Constant { weight: 0.25 },
        outer_scale: 1.0,
    }
}

/// Each method, with settings that make sense for the toys, and y kept in `set`, a box or all.
pub(crate) fn methods<T: Scalar>(set: Set<T>) -> Vec<(&'static str, Method<T>)> {
    let descent = GradientDescent {
        step_size: Hyper::Fixed(0.3),
        set: set.clone(),
        ..GradientDescent::default()
    };
    let of_average = GradientDescent {
        field: aggregate(),
        ..descent.clone()
    };
    vec![
        (
            "one-stage",
            Box::new(OneStage {
                steps: 2,
                set: set.clone(),
                ..OneStage::default()
            }) as Method<T>,
        ),
        (
            "one-stage of the average",
            Box::new(OneStage {
                field: aggregate(),
                set: set.clone(),
                ..OneStage::default()
            }),
        ),
        (
            "one-stage of first order",
            Box::new(OneStage {
                look_ahead: 0.0,
                set: set.clone(),
                ..OneStage::default()
            }),
        ),
        (
            "t1t2",
            Box::new(T1T2 {
                dynamics: Box::new(descent.clone()),
                steps: 2,
            }),
        ),
        (
            "t1t2 of the average",
            Box::new(T1T2 {
                dynamics: Box::new(of_average),
                steps: 2,
            }),
        ),
        (
            "bome",
            Box::new(Bome {
                steps: 5,
                step_size: 0.3,
                y_step_size: 0.05,
                set: set.clone(),
                ..Bome::default()
            }),
        ),
        (
            "f2sa",
            Box::new(F2sa {
                steps: 3,
                set: set.clone(),
                ..F2sa::default()
            }),
        ),
        (
            "pbgd",
            Box::new(Pbgd {
                set: set.clone(),
                ..Pbgd::default()
            }),
        ),
        (
            "pbgd from y",
            Box::new(Pbgd {
                steps: 2,
                start_at_y: true,
                set: set.clone(),
                ..Pbgd::default()
            }),
        ),
        (
            "bvfsm",
            Box::new(Bvfsm {
                z_steps: 4,
                y_steps: 3,
                set: set.clone(),
                ..Bvfsm::default()
            }),
        ),
        (
            "meha",
            Box::new(Meha {
                set: set.clone(),
                ..Meha::default()
            }),
        ),
        (
            "iaptt",
            Box::new(Iaptt {
                unrolled: Unrolled {
                    dynamics: Box::new(descent),
                    steps: 6,
                    ..Unrolled::default()
                },
                set: set.clone(),
                ..Iaptt::default()
            }),
        ),
        (
            "bamm",
            Box::new(Bamm {
                set,
                ..Bamm::default()
            }),
        ),
    ]
}
