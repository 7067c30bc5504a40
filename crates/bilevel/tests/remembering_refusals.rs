//! What the methods that remember y refuse before a run, and what they report when one fails.

use crate::common::remembering::methods;
use crate::common::toys::quadratic;
use bilevel::{
    At, Bamm, Bome, Bvfsm, Closures, Error, F2sa, FixedStart, HyperGradient, Iaptt, Key, Meha,
    Memory, OneStage, Pbgd, Problem, Quantity, Role, Sequence, Set, StartFromX, T1T2,
};

#[test]
fn what_makes_no_sense_is_refused() {
    let plain = || {
        Closures::<f64>::new(
            1,
            1,
            |_, y, _| y[0].powi(2) / 2.0,
            |_, y, _, out| out[0] += y[0],
        )
        .with_second_order(
            |_, _, _, v, y_bar, _| y_bar[0] += v[0],
            |_, _, _, _, dy, out| out[0] += dy[0],
        )
    };
    // x enters through the start alone, which these methods cut.
    let through_start = Problem::new(plain(), plain(), StartFromX::new(0..1)).unwrap();
    // Through g alone, without second derivatives, as in cleaning with a plain model.
    let first_order_only = || {
        Closures::<f64>::new(
            1,
            1,
            |x, y, _| (y[0] - x[0]).powi(2) / 2.0,
            |x, y, _, out| out[0] += y[0] - x[0],
        )
        .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0])
    };
    let cleaning = Problem::new(first_order_only(), plain(), FixedStart(vec![0.0])).unwrap();
    for (name, method) in methods(Set::All) {
        let error = method.validate(&through_start).unwrap_err();
        let zero = matches!(error, Error::StructurallyZero { .. });
        assert!(zero, "{name}: {error}");
        assert!(
            error.to_string().contains("the start of training"),
            "{error}"
        );
        let found = method.validate(&cleaning);
        match name {
            "one-stage of first order" => {
                assert!(
                    matches!(found, Err(Error::StructurallyZero { .. })),
                    "{name}"
                );
            }
            "t1t2" | "t1t2 of the average" | "iaptt" | "bamm" => {
                let role = Role::Inner;
                let missing =
                    matches!(found, Err(Error::NoSecondOrder { role: r, .. }) if r == role);
                assert!(missing, "{name}");
            }
            _ => found.unwrap(),
        }
    }
    let outer_without = Problem::new(
        first_order_only().with_second_order(|_, _, _, _, _, _| (), |_, _, _, _, _, _| ()),
        first_order_only(),
        FixedStart(vec![0.0]),
    )
    .unwrap();
    let error = Bamm::default().validate(&outer_without).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bamm needs second derivatives of the outer objective, which has none"
    );
}

/// That the default with this `change` is refused, by the name of the setting.
fn refused<M: HyperGradient<f64> + Default>(field: &str, change: impl FnOnce(&mut M)) {
    let mut method = M::default();
    change(&mut method);
    match method.validate(&quadratic(0.0)) {
        Err(Error::Setting { field: found, .. }) => assert_eq!(found, field),
        other => panic!("{field}: {other:?}"),
    }
}

#[test]
fn settings_out_of_range_are_named() {
    const ZERO: Sequence = Sequence::Constant { value: 0.0 };
    const GROWING: Sequence = Sequence::Power {
        start: 0.9,
        power: 0.1,
    };
    refused("steps", |m: &mut OneStage<f64>| m.steps = 0);
    refused("step_size", |m: &mut OneStage<f64>| m.step_size = 0.0);
    refused("look_ahead", |m: &mut OneStage<f64>| m.look_ahead = -1.0);
    refused("radius", |m: &mut OneStage<f64>| m.radius = f64::NAN);
    refused("steps", |m: &mut T1T2<f64>| m.steps = 0);
    refused("steps", |m: &mut Bome<f64>| m.steps = 0);
    refused("step_size", |m: &mut Bome<f64>| m.step_size = 0.0);
    refused("y_step_size", |m: &mut Bome<f64>| m.y_step_size = -1.0);
    refused("rate", |m: &mut Bome<f64>| m.rate = 0.0);
    refused("damping", |m: &mut Bome<f64>| m.damping = 0.0);
    refused("steps", |m: &mut F2sa<f64>| m.steps = 0);
    refused("step_size", |m: &mut F2sa<f64>| m.step_size = 0.0);
    refused("y_step_size", |m: &mut F2sa<f64>| m.y_step_size = 0.0);
    refused("penalty", |m: &mut F2sa<f64>| m.penalty = ZERO);
    refused("steps", |m: &mut Pbgd<f64>| m.steps = 0);
    refused("step_size", |m: &mut Pbgd<f64>| m.step_size = 0.0);
    refused("y_step_size", |m: &mut Pbgd<f64>| m.y_step_size = 0.0);
    refused("penalty", |m: &mut Pbgd<f64>| m.penalty = ZERO);
    refused("z_steps", |m: &mut Bvfsm<f64>| m.z_steps = 0);
    refused("y_steps", |m: &mut Bvfsm<f64>| m.y_steps = 0);
    refused("step_size", |m: &mut Bvfsm<f64>| m.step_size = 0.0);
    refused("y_step_size", |m: &mut Bvfsm<f64>| m.y_step_size = 0.0);
    refused("value_regularisation", |m: &mut Bvfsm<f64>| {
        m.value_regularisation = ZERO;
    });
    refused("y_regularisation", |m: &mut Bvfsm<f64>| {
        m.y_regularisation = ZERO;
    });
    refused("barrier", |m: &mut Bvfsm<f64>| m.barrier = ZERO);
    refused("slack", |m: &mut Bvfsm<f64>| m.slack = -1.0);
    refused("largest_multiplier", |m: &mut Bvfsm<f64>| {
        m.largest_multiplier = ZERO;
    });
    refused("step_size", |m: &mut Meha<f64>| m.step_size = 0.0);
    refused("y_step_size", |m: &mut Meha<f64>| m.y_step_size = 0.0);
    refused("proximal", |m: &mut Meha<f64>| m.proximal = 0.0);
    refused("penalty", |m: &mut Meha<f64>| m.penalty = ZERO);
    refused("start_step_size", |m: &mut Iaptt<f64>| {
        m.start_step_size = Some(0.0);
    });
    refused("weight", |m: &mut Bamm<f64>| m.weight = GROWING);
    refused("step_size", |m: &mut Bamm<f64>| m.step_size = 0.0);
    refused("v_step_size", |m: &mut Bamm<f64>| m.v_step_size = 0.0);
    refused("decay", |m: &mut Bamm<f64>| m.decay = -1.0);
    refused("inner_power", |m: &mut Bamm<f64>| m.inner_power = -1.0);
    refused("outer_power", |m: &mut Bamm<f64>| m.outer_power = f64::NAN);
    let from_zero = "linear:0,1,5".parse().unwrap();
    refused("the start of the penalty", |m: &mut Meha<f64>| {
        m.penalty = from_zero;
    });
}

/// A step that is too long is named with where it was.
#[test]
fn what_diverges_is_an_error_with_its_place() {
    let method = F2sa {
        steps: 2_000,
        step_size: 50.0,
        ..F2sa::default()
    };
    let found = method.estimate(
        &At::new(&quadratic(0.0), &[1.0], Key::from_seed(0)).outer_step(7),
        &mut Memory::default(),
        &mut [0.0],
    );
    match found {
        Err(Error::NonFinite {
            what,
            inner_step,
            outer_step,
        }) => {
            assert_eq!((what, outer_step), (Quantity::InnerVariable, Some(7)));
            assert!(inner_step.unwrap() > 100);
        }
        other => panic!("{other:?}"),
    }
}
