//! The traced models: against derivatives by hand and by differences, and as the objectives of a
//! hypergradient.

use crate::common::softmax::SoftmaxLoss;
use bilevel::check::{gradient_check, random_direction, replay_check, second_order_check};
use bilevel::vector::{axpy, dot, relative_difference};
use bilevel::{
    Adjoint, At, Checkpointed, Draw, Field, FixedStart, GradientDescent, Hyper, HyperGradient, Key,
    Memory, Objective, Problem, Reverse, ReverseTape, Unrolled,
};
use bilevel_tasks::data::Dataset;
use bilevel_tasks::data::digits::digits;
use bilevel_tasks::model::{Examples, LossSettings, Model, ModelChoice, Real};

const MLP: Model = Model::Mlp { hidden: 7 };

/// A network on the pictures of digits.
fn network(name: &str) -> Model {
    let choice: ModelChoice = name.parse().unwrap();
    choice.on(digits().image_shape()).unwrap()
}

fn rows(begin: usize, end: usize) -> Dataset {
    digits().select(&(begin..end).collect::<Vec<_>>()).unwrap()
}

fn settings(weighted: bool, weight_decay: f64) -> LossSettings {
    LossSettings {
        weighted,
        weight_decay,
    }
}

fn scaled(key: Key, len: usize, scale: f64) -> Vec<f64> {
    let direction: Vec<f64> = random_direction(key, len);
    direction.iter().map(|value| scale * value).collect()
}

fn step(step: u64) -> Draw {
    Draw::Step {
        key: Key::from_seed(8),
        step,
    }
}

/// Everything that a method may ask for, for each draw in turn from one handle; the products from a tape
/// last, where there is one, else those without.
fn everything(
    objective: &dyn Objective<f64>,
    x: &[f64],
    y: &[f64],
    draws: &[Draw],
) -> Vec<(String, Vec<f64>)> {
    let key = Key::from_seed(3);
    let (n, m) = (x.len(), y.len());
    let (v, dx): (Vec<f64>, Vec<f64>) = (scaled(key, m, 2.0), scaled(key.fold_in(1), n, 3.0));
    let mut at = objective.at(x).unwrap();
    let mut found = Vec::new();
    for (number, &draw) in draws.iter().enumerate() {
        let mut keep = |what: &str, values: &[f64]| {
            found.push((format!("{what} of draw {number}"), values.to_vec()));
        };
        let finished = |at: &mut dyn bilevel::objective::AtX<f64>| {
            // What is there already stays.
            let mut x_bar = vec![0.01; n];
            at.finish(&mut x_bar).unwrap();
            x_bar
        };
        keep("value", &[at.value(y, draw).unwrap()]);
        let mut out = vec![f64::NAN; m];
        at.grad_y(y, draw, &mut out).unwrap();
        keep("∇_y", &out);
        at.grad_x(y, draw, -0.7).unwrap();
        keep("∇_x", &finished(&mut *at));
        let mut y_bar = vec![0.02; m];
        let products = at.second_order().unwrap();
        products.pull(y, draw, &v, &mut y_bar).unwrap();
        products.pull(y, draw, &dy_of(&v), &mut y_bar).unwrap();
        keep("∇²_yy", &y_bar);
        keep("∇²_xy", &finished(&mut *at));
        let mut out = vec![0.02; m];
        let products = at.second_order().unwrap();
        products.push(y, draw, &dx, &v, &mut out).unwrap();
        keep("push", &out);
        keep("nothing collected", &finished(&mut *at));
        let mut y_bar = vec![0.02; m];
        if let Some(taped) = at.tape() {
            let mut tape = vec![f64::NAN; taped.tape_len(draw)];
            let mut out = vec![f64::NAN; m];
            taped.linearize(y, draw, &mut out, &mut tape).unwrap();
            keep("∇_y with a tape", &out);
            taped.pull_tape(y, draw, &tape, &v, &mut y_bar).unwrap();
        } else {
            let mut out = vec![f64::NAN; m];
            at.grad_y(y, draw, &mut out).unwrap();
            keep("∇_y with a tape", &out);
            let products = at.second_order().unwrap();
            products.pull(y, draw, &v, &mut y_bar).unwrap();
        }
        keep("∇²_yy from the tape", &y_bar);
        keep("∇²_xy from the tape", &finished(&mut *at));
    }
    found
}

/// Another direction.
fn dy_of(v: &[f64]) -> Vec<f64> {
    v.iter().rev().copied().collect()
}

/// 300 rows are three groups of blocks, the last not full; a batch of 150 two, one of 7 a part of one.
#[test]
fn the_traced_softmax_is_the_hand_written_one() {
    let (data, key) = (rows(0, 300), Key::from_seed(1));
    let (x, y) = (scaled(key, 300, 20.0), scaled(key.fold_in(1), 650, 3.0));
    for (weighted, weight_decay) in [(true, 0.0), (true, 0.03), (false, 0.0), (false, 0.03)] {
        for batch in [None, Some(150), Some(7), Some(300)] {
            let settings = settings(weighted, weight_decay);
            let traced = Model::Softmax
                .loss(settings)
                .bind(&Examples::<f64>::new(&data), batch, 300)
                .unwrap();
            let by_hand = SoftmaxLoss::new(&data, settings, batch, 300);
            assert_eq!(traced.depends_on_x(), weighted);
            assert_eq!(traced.y_layout(), by_hand.y_layout());
            // All rows after a batch, and a batch after them.
            let draws = [step(0), Draw::All, step(1)];
            let expected = everything(&by_hand, &x, &y, &draws);
            let found = everything(&*traced, &x, &y, &draws);
            assert_eq!(found.len(), expected.len());
            for ((what, found), (_, expected)) in found.iter().zip(&expected) {
                let apart = relative_difference(found, expected);
                assert!(apart <= 1e-12, "{settings:?}: {what}: {apart:e}");
            }
            // The draws differ where there are batches, and only there.
            let batches = batch.is_some_and(|batch| batch < 300);
            assert_eq!(
                expected[1].1 != expected[expected.len() / 3 * 2 + 1].1,
                batches
            );
        }
    }
}

#[test]
fn models_against_differences() {
    for model in [MLP, network("conv4:4")] {
        against_differences(model);
    }
}

fn against_differences(model: Model) {
    let (data, key) = (rows(0, 40), Key::from_seed(2));
    let x = scaled(key, 40, 6.0);
    let y: Vec<f64> = model.start(64, 10, key);
    for (weighted, batch) in [(true, None), (true, Some(15)), (false, None)] {
        let settings = settings(weighted, 0.02);
        let loss = model
            .loss(settings)
            .bind(&Examples::<f64>::new(&data), batch, 40)
            .unwrap();
        let check = second_order_check(&*loss, &x, &y, key, 1e-7).unwrap();
        assert!(check.passed(), "{model} {settings:?}: {check:?}");

        let (dx, dy) = (
            scaled(key.fold_in(3), 40, 1.0),
            scaled(key.fold_in(4), y.len(), 1.0),
        );
        let value = |t: f64| {
            let (mut x, mut y) = (x.clone(), y.clone());
            axpy(t, &dx, &mut x);
            axpy(t, &dy, &mut y);
            loss.at(&x).unwrap().value(&y, step(2)).unwrap()
        };
        let t = 1e-5;
        let difference = (value(t) - value(-t)) / (2.0 * t);
        let mut at = loss.at(&x).unwrap();
        let (mut x_bar, mut y_bar) = (vec![0.0; 40], vec![0.0; y.len()]);
        at.grad_y(&y, step(2), &mut y_bar).unwrap();
        at.grad_x(&y, step(2), 1.0).unwrap();
        at.finish(&mut x_bar).unwrap();
        let slope = dot(&x_bar, &dx) + dot(&y_bar, &dy);
        assert!((slope - difference).abs() < 1e-8 * slope.abs().max(1.0));
        assert!(!weighted || dot(&x_bar, &dx).abs() > 1e-4);
    }
}

/// Training on weighted rows, tried on others.
fn problem<T: Real>(model: Model, batches: [Option<usize>; 2]) -> (Problem<T>, Vec<T>) {
    let loss = |data: &Dataset, weighted, batch| {
        let settings = settings(weighted, if weighted { 0.01 } else { 0.0 });
        model
            .loss(settings)
            .bind(&Examples::<T>::new(data), batch, 300)
            .unwrap()
    };
    let inner = loss(&rows(0, 300), true, batches[0]);
    let outer = loss(&rows(300, 500), false, batches[1]);
    let start = FixedStart(model.start(64, 10, Key::from_seed(4)));
    let problem = Problem::from_shared(inner, outer, std::sync::Arc::new(start)).unwrap();
    let x = scaled(Key::from_seed(5), 300, 10.0);
    (problem, x.into_iter().map(T::from_f64).collect())
}

fn method<T: Real>(schedule: Option<&str>, adjoint: impl Adjoint<T> + 'static) -> Unrolled<T> {
    Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(0.3),
            field: schedule.map_or(Field::Inner, |schedule| Field::Aggregate {
                schedule: schedule.parse().unwrap(),
                outer_scale: 0.8,
            }),
            ..GradientDescent::default()
        }),
        steps: 7,
        adjoint: Box::new(adjoint),
    }
}

/// A problem that is looked at: model, batches of both objectives, schedule of the aggregate field.
type Case = (Model, [Option<usize>; 2], Option<&'static str>);

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for model in [Model::Softmax, MLP, network("conv4:4")] {
        for batches in [[None, None], [Some(150), Some(70)]] {
            cases.extend([None, Some("constant:0.4")].map(|schedule| (model, batches, schedule)));
        }
    }
    cases
}

fn estimate<T: Real>(method: &Unrolled<T>, problem: &Problem<T>, x: &[T]) -> Vec<T> {
    let mut out = vec![T::zero(); x.len()];
    method
        .estimate(
            &At::new(problem, x, Key::from_seed(6)),
            &mut Memory::default(),
            &mut out,
        )
        .unwrap();
    out
}

#[test]
fn every_adjoint_gives_the_hypergradient() {
    for case in cases() {
        let (model, batches, schedule) = case;
        let (problem, x) = problem::<f64>(model, batches);
        let key = Key::from_seed(6);
        let reverse = method(schedule, Reverse);
        let check = gradient_check(&reverse, &At::new(&problem, &x, key), 1, 1e-7).unwrap();
        assert!(check.passed(), "{case:?}: {check:?}");
        let checkpointed = method(schedule, Checkpointed { slots: 3 });
        assert!(replay_check(&reverse, &checkpointed, &At::new(&problem, &x, key)).unwrap());
        let gradient = estimate(&reverse, &problem, &x);
        let taped = estimate(&method(schedule, ReverseTape::default()), &problem, &x);
        let apart = relative_difference(&taped, &gradient);
        assert!(apart <= 1e-12, "{case:?}: {apart:e}");
    }
}

/// The same with the hand-written objectives.
#[test]
fn the_hypergradient_of_the_hand_written_softmax() {
    for (model, batches, schedule) in cases() {
        if model != Model::Softmax {
            continue;
        }
        let (traced, x) = problem::<f64>(model, batches);
        let by_hand = Problem::new(
            SoftmaxLoss::new(&rows(0, 300), settings(true, 0.01), batches[0], 300),
            SoftmaxLoss::new(&rows(300, 500), settings(false, 0.0), batches[1], 300),
            FixedStart(vec![0.0; 650]),
        )
        .unwrap();
        let method = method(schedule, Reverse);
        let expected = estimate(&method, &by_hand, &x);
        let apart = relative_difference(&estimate(&method, &traced, &x), &expected);
        assert!(apart <= 1e-12, "{batches:?} {schedule:?}: {apart:e}");
    }
}

fn threads_do_not_change<T: Real>() {
    for case in cases() {
        let (model, batches, schedule) = case;
        let (problem, x) = problem::<T>(model, batches);
        let adjoints: [Box<dyn Adjoint<T>>; 3] = [
            Box::new(Reverse),
            Box::new(ReverseTape::default()),
            Box::new(Checkpointed { slots: 3 }),
        ];
        for adjoint in adjoints {
            let mut method = method(schedule, Reverse);
            method.adjoint = adjoint;
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let gradient = pool
                    .build()
                    .unwrap()
                    .install(|| estimate(&method, &problem, &x));
                let bits = gradient.iter().map(|value| value.to_double().to_bits());
                bits.collect::<Vec<_>>()
            };
            let one = with(1);
            assert_eq!(one, with(2), "{case:?}");
            assert_eq!(one, with(3), "{case:?}");
        }
    }
}

#[test]
fn threads_do_not_change_bits() {
    threads_do_not_change::<f32>();
    threads_do_not_change::<f64>();
}

/// What a network says of a row does not depend on the rows beside it.
#[test]
fn a_row_is_judged_alone() {
    let all = rows(0, 60);
    for model in [network("conv4:8"), network("resnet18")] {
        let y: Vec<f64> = model.start(64, 10, Key::from_seed(9));
        let probabilities = |data: &Dataset| {
            let examples = Examples::<f64>::new(data);
            model.probabilities().of(&y, &examples).unwrap()
        };
        let together = probabilities(&all);
        let alone = probabilities(&all.select(&[17]).unwrap());
        let apart = relative_difference(&alone, &together[170..180]);
        assert!(apart < 1e-12, "{model}: {apart:e}");
        let sum: f64 = alone.iter().sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }
}
