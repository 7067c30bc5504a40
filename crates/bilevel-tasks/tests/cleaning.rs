//! The cleaning task as a whole, on the embedded digits.

use bilevel::check::{forward_check, gradient_check, replay_check};
use bilevel::driver::Why;
use bilevel::{
    Adam, Adjoint, At, Checkpointed, Error, Field, FirstOrder, GradientDescent, Hyper,
    HyperGradient, Key, Oracle, Reverse, Unrolled,
};
use bilevel_tasks::Deadline;
use bilevel_tasks::cleaning::{
    Baseline, Cleaned, Cleaning, CleaningData, CleaningSettings, OuterStep, Split, baselines, kept,
    retrain,
};
use bilevel_tasks::corruption::{Corruption, CorruptionKind};
use bilevel_tasks::data::digits::digits;
use bilevel_tasks::model::{Model, Real};
use bilevel_tasks::train::{Classifier, Trainer};

fn data(train: usize, rate: f64) -> CleaningData {
    let split = Split {
        train,
        trusted: 200,
        test: 300,
    };
    let corruption = Corruption {
        kind: CorruptionKind::Other,
        rate,
    };
    CleaningData::draw(&digits(), split, Some(&corruption), Key::from_seed(0)).unwrap()
}

fn method<T: Real>(schedule: Option<&str>, adjoint: impl Adjoint<T> + 'static) -> Unrolled<T> {
    let field = schedule.map_or(Field::Inner, |schedule| Field::Aggregate {
        schedule: schedule.parse().unwrap(),
        outer_scale: 1.0,
    });
    Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(0.5),
            field,
            ..GradientDescent::default()
        }),
        steps: 30,
        adjoint: Box::new(adjoint),
    }
}

fn run(
    settings: &CleaningSettings,
    method: &dyn HyperGradient<f32>,
    rate: f64,
) -> (Cleaned<f32>, Vec<OuterStep>) {
    let (data, key) = (data(400, 0.5), Key::from_seed(0));
    let cleaning = Cleaning::new(&data, settings, key).unwrap();
    let mut history = Vec::new();
    let optimizer = Adam::new(rate);
    let mut state = cleaning.start(&optimizer);
    let why = cleaning
        .run(
            &mut state,
            method,
            &optimizer,
            key,
            &mut |step: &OuterStep| {
                history.push(step.clone());
            },
        )
        .unwrap();
    (Cleaned::new(&state, why).unwrap(), history)
}

fn settings(outer_steps: usize, early_stopping: Option<f64>) -> CleaningSettings {
    CleaningSettings {
        outer_steps,
        early_stopping,
        ..CleaningSettings::default()
    }
}

#[test]
fn wrong_labels_are_found_and_the_improved_model_finds_them_sooner() {
    let settings = settings(5, None);
    let (improved, history) = run(&settings, &method(Some("constant:0.5"), Reverse), 0.1);
    let (basic, _) = run(&settings, &method(None, Reverse), 0.1);
    let f1 = |cleaned: &Cleaned<f32>| cleaned.step.metrics.as_ref().unwrap().f1.unwrap();
    assert!(f1(&improved) > 0.88, "{}", f1(&improved));
    assert!(
        f1(&basic) > 0.7 && f1(&basic) < f1(&improved),
        "{}",
        f1(&basic)
    );
    assert_eq!(history.len(), 6);
    assert_eq!(history[0].metrics.as_ref().unwrap().auc, Some(0.5));
    assert!(history[5].f < history[0].f);
    assert!(history.iter().all(|step| step.held_out.is_none()));
    assert_eq!((improved.step.step, improved.why), (5, Why::LastStep));
    // K gradients and K pulls of each objective at each of six points, and the seeds.
    assert_eq!(improved.inner_calls[Oracle::GradY], 6 * 30);
    assert_eq!(improved.inner_calls[Oracle::Pull], 6 * 30);
    assert_eq!(improved.outer_calls[Oracle::GradY], 6 * 31);
    assert_eq!(basic.outer_calls[Oracle::Pull], 0);
}

#[test]
fn early_stopping_keeps_the_best_held_out_step() {
    let settings = CleaningSettings {
        patience: 3,
        ..settings(40, Some(0.3))
    };
    // A rate so large that the held-out loss gets worse soon.
    let (cleaned, history) = run(&settings, &method(None, Reverse), 5.0);
    let best = history
        .iter()
        .min_by(|a, b| a.held_out.partial_cmp(&b.held_out).unwrap())
        .unwrap();
    assert_eq!(cleaned.step.step, best.step);
    assert_eq!(cleaned.why, Why::NoImprovement);
    assert_eq!(cleaned.outer_steps, best.step + 3);
}

#[test]
fn mini_batches_repeat_with_the_key() {
    let settings = CleaningSettings {
        batch: Some(50),
        trusted_batch: Some(40),
        ..settings(3, None)
    };
    let method = method(Some("constant:0.5"), Checkpointed { slots: 4 });
    let (first, again) = (
        run(&settings, &method, 0.1).0,
        run(&settings, &method, 0.1).0,
    );
    assert_eq!(first.weights, again.weights);
    let metrics = first.step.metrics.unwrap();
    assert!(metrics.auc.unwrap() > 0.9, "{metrics:?}");
}

#[test]
fn the_hypergradient_of_cleaning_is_right() {
    let data = data(60, 0.5);
    for batch in [None, Some(17)] {
        let settings = CleaningSettings {
            batch,
            trusted_batch: batch,
            weight_decay: 0.02,
            ..CleaningSettings::default()
        };
        let key = Key::from_seed(4);
        let cleaning = Cleaning::<f64>::new(&data, &settings, key).unwrap();
        let x: Vec<f64> = (0..60).map(|i| (0.9 * f64::from(i)).sin()).collect();
        for schedule in [None, Some("harmonic:0.9")] {
            let reverse = method(schedule, Reverse);
            let problem = cleaning.problem();
            let check = gradient_check(&reverse, &At::new(problem, &x, key), 2, 1e-7).unwrap();
            assert!(check.passed(), "{batch:?} {schedule:?} {check:?}");
            let check = forward_check(&reverse, &At::new(problem, &x, key), 2, 1e-12).unwrap();
            assert!(check.passed(), "{batch:?} {schedule:?} {check:?}");
            for slots in [1, 2, 5, 30] {
                let checkpointed = method(schedule, Checkpointed { slots });
                assert!(replay_check(&reverse, &checkpointed, &At::new(problem, &x, key)).unwrap());
            }
        }
    }
}

#[test]
fn first_order_is_refused() {
    let (data, key) = (data(60, 0.5), Key::from_seed(0));
    let cleaning = Cleaning::<f32>::new(&data, &CleaningSettings::default(), key).unwrap();
    for schedule in [None, Some("constant:0.5")] {
        let optimizer = Adam::new(0.1);
        let error = cleaning
            .run(
                &mut cleaning.start(&optimizer),
                &method(schedule, FirstOrder),
                &optimizer,
                key,
                &mut |_: &OuterStep| (),
            )
            .unwrap_err();
        let zero = matches!(
            error,
            bilevel_tasks::Error::Method(Error::StructurallyZero { .. })
        );
        assert!(zero, "{error}");
    }
}

#[test]
fn bad_settings_are_refused() {
    let (data, key) = (data(60, 0.5), Key::from_seed(0));
    let refused = |settings: CleaningSettings| Cleaning::<f32>::new(&data, &settings, key).is_err();
    let good = CleaningSettings::default();
    assert!(!refused(good.clone()));
    assert!(refused(CleaningSettings {
        batch: Some(0),
        ..good.clone()
    }));
    assert!(refused(CleaningSettings {
        batch: Some(61),
        ..good.clone()
    }));
    assert!(refused(CleaningSettings {
        trusted_batch: Some(200),
        ..good.clone()
    }));
    assert!(refused(CleaningSettings {
        early_stopping: Some(1.0),
        ..good.clone()
    }));
    assert!(refused(CleaningSettings {
        early_stopping: Some(0.999),
        ..good.clone()
    }));
    assert!(refused(CleaningSettings {
        weight_decay: f64::NAN,
        ..good.clone()
    }));
    assert!(refused(CleaningSettings {
        patience: 0,
        ..good
    }));
}

#[test]
fn baselines_stand_in_their_natural_order() {
    let (data, key) = (data(800, 0.6), Key::from_seed(0));
    let trainer = Trainer {
        model: Model::Softmax,
        steps: 200,
        weight_decay: 0.0,
        key,
        deadline: Deadline::default(),
    };
    let results = baselines::<f32>(&data, &trainer, key).unwrap();
    let names: Vec<_> = results.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["all_rows", "trusted_only", "clean_rows"]);
    let get = |name: &str| {
        let mut results = results.iter();
        results
            .find(|(found, _)| *found == name)
            .unwrap()
            .1
            .unwrap()
    };
    let accuracy = |name: &str| get(name).test_accuracy.unwrap();
    assert!(accuracy("all_rows") < accuracy("trusted_only"));
    assert!(get("clean_rows").retrained_accuracy.unwrap() >= accuracy("trusted_only"));
    // Keeping everything: precision .4, recall 1.
    assert!((get("all_rows").f1.unwrap() - 0.8 / 1.4).abs() < 1e-12);

    // Perfect weights score perfectly in the same table.
    let wrong = data.wrong().unwrap();
    let weights: Vec<f64> = wrong
        .iter()
        .map(|&wrong| if wrong { 0.2 } else { 0.8 })
        .collect();
    let classifier: Classifier<f32> = retrain(&data, &kept(&weights), &trainer, key).unwrap();
    let row = Baseline::of_weights(&data, &weights, (&classifier, Some(&classifier)), 0.0).unwrap();
    assert_eq!((row.f1, row.auc), (Some(1.0), Some(1.0)));
    assert_eq!(row.retrained_accuracy, get("clean_rows").retrained_accuracy);
}
