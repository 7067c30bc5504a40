//! Which class is confused with which, learned so that a model trained for it does well on trusted rows.

use std::sync::Arc;
use std::time::Instant;

use bilevel::catalogue::{Defaults, Method, Settings, StepSizeChoice};
use bilevel::curvature::Followed;
use bilevel::driver::{Patience, Why};
use bilevel::optimizer::Adam;
use bilevel::{Draw, Driver, FixedStart, Iterate, Objective, Observer, Problem, RunState};
use bilevel_autodiff::Bound;

use super::confusion::Confusion;
use super::detected::Detected;
use super::glc::{corrected, of_trusted};
use super::judging::{Detector, DetectorPage};
use super::trials::{Stage, Trials};
use crate::Error;
use crate::cleaning::forecast::GRADIENTS;
use crate::cleaning::step_size::PART;
use crate::model::{Examples, LossSettings};
use crate::shuffle::shuffled;
use crate::stream::{BASELINE, CURVATURE};

/// The matrix of gold loss correction, moved by the hypergradient: the inner loss is the likelihood of the given labels
/// under the model's classes and the matrix, the outer loss that of the trusted rows after training. A fifth of the trusted
/// rows says which update is kept. Then, as in `glc`, a model of the true classes is trained for this fixed matrix.
pub(super) struct Hypergradient;

/// Inner steps of a training.
const STEPS: usize = 100;

/// Updates of the matrix, and so many without improvement end it.
const UPDATES: usize = 30;
const PATIENCE: usize = 8;

/// How far an update moves the logits of the matrix.
const RATE: f64 = 0.1;

/// The most multiplications of all updates: some seconds of two cores.
const MOST: f64 = 5e11;

/// No fewer rows to check are trained on, if there are as many.
const LEAST_ROWS: usize = 500;

/// Separates its draws from other draws of the stream.
const DRAWN: u64 = 400;

/// A matrix has the square of them.
const MOST_CLASSES: usize = 300;

impl Detector for Hypergradient {
    fn page(&self) -> DetectorPage {
        DetectorPage {
            name: "noise-matrix:hypergradient",
            summary: "moves that estimate by the hypergradient of the loss on the trusted rows",
            how: "Which class is confused with which is estimated from the trusted rows, and moved by the hypergradient: so that a model\ntrained for it does well on the trusted rows. A row is kept if its label is then the most probable class.",
            reference: "arXiv 1802.05300, and reverse-HG (arXiv 1703.01785)",
            needs_trusted: true,
        }
    }

    fn most_classes(&self) -> usize {
        MOST_CLASSES
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        let classes = trials.classes();
        let start = Confusion::of_all(of_trusted(trials)?, classes);
        let logits = logits(&start, classes);
        let learned = learned(trials, &logits)?;
        let mut counts = vec![0.0; classes * classes];
        for (class, counts) in counts.chunks_exact_mut(classes).enumerate() {
            let of = |given: usize| f64::from(learned[given * classes + class]);
            let largest = (0..classes).map(of).fold(f64::NEG_INFINITY, f64::max);
            for (given, count) in counts.iter_mut().enumerate() {
                *count = (of(given) - largest).exp();
            }
        }
        let confusion = Confusion::of_all(counts, classes);
        corrected(trials, confusion, Stage::Hypergradient)
    }
}

/// The logits of a matrix, given × true.
fn logits(confusion: &Confusion, classes: usize) -> Vec<f32> {
    let mut logits = Vec::with_capacity(classes * classes);
    for given in 0..classes {
        for class in 0..classes {
            logits.push(confusion.of(0, class, given as u32).ln() as f32);
        }
    }
    logits
}

/// The logits after the updates, the best on the trusted rows that are held out.
fn learned(trials: &Trials<'_>, logits: &[f32]) -> Result<Vec<f32>, Error> {
    if trials.trusted().count() < 2 {
        // None would be left to learn from, or none to choose by.
        return Ok(logits.to_vec());
    }
    let objectives = Objectives::of(trials)?;
    trials.expect_time()?;
    let (data, trainer) = (trials.data(), trials.trainer());
    let (columns, classes) = (data.train().columns(), trials.classes());
    let start = trainer.model.start(columns, classes, trainer.key);
    let key = trainer.key.stream(BASELINE).fold_in(DRAWN);
    let left = trainer.deadline.left();
    let followed = Followed {
        steps: STEPS,
        until: left.and_then(|left| Instant::now().checked_add(left)),
        ..Followed::default()
    };
    let inner: [&dyn Objective<f32>; 1] = [&*objectives.inner];
    let largest = followed.largest(&inner, logits, &start, key.stream(CURVATURE))?;
    trials.expect_time()?;
    let Some(largest) = largest else {
        return Ok(logits.to_vec());
    };
    let settings = Settings {
        method: Some("basic".parse().map_err(Error::Method)?),
        steps: Some(STEPS),
        step_size: Some(StepSizeChoice::Fixed(PART / largest)),
        ..Settings::default()
    };
    let method = Method::new(&settings, Defaults::TRAINING)?;
    let problem = Problem::from_shared(
        objectives.inner,
        objectives.outer,
        Arc::new(FixedStart(start)),
    )?;
    let method = method.build::<f32>(&problem);
    let optimizer = Adam::new(RATE);
    let mut state = RunState::new(logits.to_vec(), &optimizer);
    let mut best = Best {
        held_out: &*objectives.held_out,
        patience: Patience::new(PATIENCE),
        x: logits.to_vec(),
    };
    let ran = Driver::new(&problem, &*method, &optimizer, key)
        .outer_steps(UPDATES)
        .time_limit(trainer.deadline.left())
        .observer(&mut best)
        .run(&mut state);
    trials.expect_time()?;
    match ran {
        // Training that goes wrong for a matrix ends the search: a better one was kept before.
        Ok(_) | Err(bilevel::Error::NonFinite { .. }) => Ok(best.x),
        Err(error) => Err(error.into()),
    }
}

/// What is trained, and what it is for.
struct Objectives {
    /// The likelihood of the given labels of the rows to check, or of as many of them as there is time for.
    inner: Arc<Bound<f32>>,
    /// The trusted rows that are not held out.
    outer: Arc<Bound<f32>>,
    held_out: Arc<Bound<f32>>,
}

impl Objectives {
    fn of(trials: &Trials<'_>) -> Result<Self, Error> {
        let (data, trainer) = (trials.data(), trials.trainer());
        let (train, classes) = (data.train(), trials.classes());
        let row = trainer.model.multiplications(train.row_work(), classes);
        let row = 2.0 * row.max(1) as f64;
        let most = MOST / (row * GRADIENTS * (STEPS * UPDATES) as f64);
        let mut rows = shuffled(train.rows(), trainer.key.stream(BASELINE).fold_in(DRAWN));
        rows.truncate((most as usize).max(LEAST_ROWS));
        rows.sort_unstable();
        let examples = if rows.len() < train.rows() {
            Examples::new(&train.select(&rows)?)
        } else {
            Examples::new(train)
        };
        let inner = trainer
            .model
            .confused_loss(&examples, trainer.weight_decay)?;
        let held = trials.held_out();
        let part = |wanted: bool| -> Result<Arc<Bound<f32>>, Error> {
            let rows = trials.trusted().map(|(row, _)| row);
            let rows: Vec<usize> = rows.filter(|&row| held[row] == wanted).collect();
            let rows = data.trusted().select(&rows)?;
            let loss = trainer.model.loss(LossSettings::default());
            loss.bind(&Examples::new(&rows), None, classes * classes)
        };
        Ok(Self {
            inner,
            outer: part(false)?,
            held_out: part(true)?,
        })
    }
}

/// Keeps the matrix whose model does best on the rows that are held out.
struct Best<'a> {
    held_out: &'a dyn Objective<f32>,
    patience: Patience,
    x: Vec<f32>,
}

impl Observer<f32> for Best<'_> {
    fn observe(&mut self, iterate: &Iterate<'_, f32>) -> bilevel::Result<Option<Why>> {
        let mut held_out = self.held_out.at(iterate.x)?;
        let loss = held_out.value(&iterate.report.y, Draw::All)?;
        if self.patience.improved(f64::from(loss), iterate.outer_step) {
            self.x = iterate.x.to_vec();
        }
        Ok(self.patience.exhausted().then_some(Why::NoImprovement))
    }
}

#[cfg(test)]
mod tests {
    use bilevel::check::{gradient_check, random_direction};
    use bilevel::{At, Key};

    use super::*;
    use crate::cleaning::split::{CleaningData, Split};
    use crate::corruption::{Corruption, CorruptionKind};
    use crate::data::digits::digits;
    use crate::model::Model;

    /// The loss is the likelihood of the labels, and its hypergradient that of central differences.
    #[test]
    fn the_hypergradient_of_the_matrix_is_right() {
        let source = digits();
        let rows: Vec<usize> = (0..60).collect();
        let trusted: Vec<usize> = (60..100).collect();
        let (train, trusted) = (
            source.select(&rows).unwrap(),
            source.select(&trusted).unwrap(),
        );
        let (key, classes) = (Key::from_seed(4), train.classes());
        for model in [Model::Softmax, Model::Mlp { hidden: 7 }] {
            let inner = model
                .confused_loss::<f64>(&Examples::new(&train), 0.01)
                .unwrap();
            let x: Vec<f64> = random_direction(key, classes * classes)
                .into_iter()
                .map(|x: f64| 10.0 * x)
                .collect();
            let start = model.start::<f64>(train.columns(), classes, key);
            let y: Vec<f64> = start
                .iter()
                .enumerate()
                .map(|(i, y)| y + 0.1 * ((i * 7) % 5) as f64)
                .collect();
            let probabilities = model
                .probabilities()
                .of(&y, &Examples::new(&train))
                .unwrap();
            let matrix = |given: usize, class: usize| {
                let column = (0..classes).map(|given| x[given * classes + class].exp());
                x[given * classes + class].exp() / column.sum::<f64>()
            };
            let likelihood = |(p, &given): (&[f64], &u32)| {
                let sum = p.iter().enumerate();
                sum.map(|(class, p)| p * matrix(given as usize, class))
                    .sum::<f64>()
                    .ln()
            };
            let all = probabilities.chunks_exact(classes).zip(train.labels());
            let mut expected = -all.map(likelihood).sum::<f64>() / train.rows() as f64;
            expected += 0.005 * y.iter().map(|y| y * y).sum::<f64>();
            let found = inner.at(&x).unwrap().value(&y, Draw::All).unwrap();
            assert!(
                (found - expected).abs() < 1e-10 * expected.abs(),
                "{found} {expected}"
            );

            let outer = model.loss::<f64>(LossSettings::default());
            let outer = outer.bind(&Examples::new(&trusted), None, x.len()).unwrap();
            let problem = Problem::from_shared(inner, outer, Arc::new(FixedStart(start))).unwrap();
            let settings = Settings {
                method: Some("basic".parse().unwrap()),
                steps: Some(20),
                step_size: Some(StepSizeChoice::Fixed(0.3)),
                ..Settings::default()
            };
            let method = Method::new(&settings, Defaults::TRAINING)
                .unwrap()
                .build::<f64>(&problem);
            let comparison =
                gradient_check(&*method, &At::new(&problem, &x, key), 2, 1e-6).unwrap();
            assert!(comparison.passed(), "{model}: {comparison:?}");
        }
    }

    /// Pairwise noise: the learned matrix has its place and size.
    #[test]
    fn the_learned_matrix_is_that_of_the_noise() {
        let split = Split {
            train: 900,
            trusted: 250,
            test: 0,
        };
        let corruption = Corruption {
            kind: CorruptionKind::Pairwise,
            rate: 0.3,
        };
        let data =
            CleaningData::draw(&digits(), split, Some(&corruption), Key::from_seed(2)).unwrap();
        let trainer = crate::train::Trainer {
            model: Model::Softmax,
            steps: 100,
            weight_decay: 0.0,
            key: Key::from_seed(2),
            deadline: crate::Deadline::default(),
        };
        let trials = Trials::new(&data, trainer, data.train().rows()).unwrap();
        let start = Confusion::of_all(of_trusted(&trials).unwrap(), 10);
        let learned = learned(&trials, &logits(&start, 10)).unwrap();
        let error = |of: &dyn Fn(usize, usize) -> f64| -> f64 {
            let pairs = (0..10).flat_map(|class| (0..10).map(move |given| (class, given)));
            let truth = |class: usize, given: usize| match (given + 10 - class) % 10 {
                0 => 0.7,
                1 => 0.3,
                _ => 0.0,
            };
            pairs
                .map(|(class, given)| (of(class, given) - truth(class, given)).abs())
                .sum()
        };
        let before = error(&|class, given| start.of(0, class, given as u32));
        let of = |class: usize, given: usize| {
            let column = (0..10).map(|given| f64::from(learned[given * 10 + class]).exp());
            f64::from(learned[given * 10 + class]).exp() / column.sum::<f64>()
        };
        let after = error(&of);
        assert!(after < before, "{after} {before}");
    }
    /// What it finds does not depend on which detectors judged before.
    #[test]
    fn it_judges_alone_as_beside_others() {
        use super::super::held::Mistakes;
        use super::super::trials::drawn::{drawn, of, trainer};
        let data = drawn(300, 60, CorruptionKind::Pairwise, 0.3);
        let alone = Hypergradient.detect(&of(&data, trainer())).unwrap();
        let trials = of(&data, trainer());
        // From labels that nothing predicts, another training follows than from posterior classes.
        let mut random = vec![0.0; 360 * 10];
        (0..360).for_each(|row| random[row * 10 + row % 10] = 1.0);
        trials
            .training_at(Stage::Glc, &random, Mistakes::AtRandom)
            .unwrap();
        let beside = Hypergradient.detect(&trials).unwrap();
        assert!(alone.probabilities == beside.probabilities);
    }
}
