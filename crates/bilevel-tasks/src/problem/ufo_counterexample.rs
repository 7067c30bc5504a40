//! First-order gradients that end at a point that is not stationary.

use std::sync::Arc;

use bilevel::{Key, Problem, Set, StartFromX, TaskFamily};
use rand::RngExt;

use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;
use crate::stream::INSTANCE;

pub(super) const NAME: &str = "ufo-counterexample";

const STEPS: usize = 10;
const STEP_SIZE: f64 = 0.1;
/// a_1 and a_2.
const CURVATURES: [f64; 2] = [0.5, 1.5];
/// D: first-order training ends where M' = √(2D).
const GAP: f64 = 0.06;

/// f_i: a quadratic a(y − centre)²/2 up to the distance `reach`, flattened to a straight line
/// over one more unit, so the gradient is bounded and the second derivative is Lipschitz.
#[derive(Clone, Copy)]
struct Task {
    curvature: f64,
    centre: f64,
    reach: f64,
}

impl Task {
    fn jet(self, y: f64) -> Jet {
        let Self {
            curvature: a,
            centre,
            reach,
        } = self;
        let z = (y - centre).abs();
        let over = z - reach;
        let (value, slope, second) = if over <= 0.0 {
            (a * z * z / 2.0, a * z, a)
        } else if over <= 1.0 {
            (
                a * (over * over / 2.0 - over.powi(3) / 6.0 + reach * z - reach * reach / 2.0),
                a * (z - over * over / 2.0),
                a * (1.0 - over),
            )
        } else {
            let slope = a / 2.0 + a * reach;
            let offset = a * (1.0 / 6.0 + reach * reach / 2.0 + reach / 2.0);
            (slope * z - offset, slope, 0.0)
        };
        Jet {
            value,
            y: slope * (y - centre).signum(),
            yy: second,
            ..Jet::default()
        }
    }

    /// f_i after `steps` steps of training from x, and its derivative in x.
    fn trained(self, x: f64, steps: usize, step_size: f64) -> (f64, f64) {
        let (mut y, mut slope) = (x, 1.0);
        for _ in 0..steps {
            let jet = self.jet(y);
            y -= step_size * jet.y;
            slope *= 1.0 - step_size * jet.yy;
        }
        let jet = self.jet(y);
        (jet.value, slope * jet.y)
    }
}

/// The two tasks, and the x that minimises their mean after training with the published settings.
fn tasks() -> ([Task; 2], f64) {
    let [a_1, a_2] = CURVATURES;
    let [p_1, p_2] = CURVATURES.map(|a| (1.0 - STEP_SIZE * a).powi(STEPS as i32));
    let whole = a_1 * p_1.powi(2) + a_2 * p_2.powi(2);
    let b_2 =
        2.0 * (2.0 * GAP).sqrt() / (whole * p_2 / (a_1 * p_1 + a_2 * p_2) - p_2.powi(2)).abs();
    let centres = [0.0, b_2 / a_2];
    let reach = centres[1] + 1.0;
    let task = |curvature, centre| Task {
        curvature,
        centre,
        reach,
    };
    (
        [task(a_1, centres[0]), task(a_2, centres[1])],
        p_2.powi(2) * b_2 / whole,
    )
}

/// Draws one of the two problems at each outer step, with equal probability.
struct Family([Problem<f64>; 2]);

impl TaskFamily<f64> for Family {
    fn x_len(&self) -> usize {
        1
    }

    fn draw(&self, key: Key, outer_step: usize) -> Vec<usize> {
        let second: bool = key.fold_in(outer_step as u64).rng().random();
        vec![usize::from(second)]
    }

    fn task(&self, number: usize) -> bilevel::Result<Problem<f64>> {
        self.0
            .get(number)
            .cloned()
            .ok_or_else(|| bilevel::Error::Setting {
                field: "the number of a task of ufo-counterexample",
                range: "0 or 1",
                value: number.to_string(),
            })
    }
}

/// Two tasks; each outer step draws one of them with equal probability: f = g = f_i(y), y_0 = x.
/// The objective is M(x), the mean of f_i after K = 10 steps of size 0.1 from x; f_i is a
/// quadratic of curvature 1/2 or 3/2 that is flattened far from its centre.
///
/// With the outer steps 10/k, first-order gradients end at x = 5.7589, where M' = √0.12; the
/// least value is at x = 2.8403. x_0 is random in (−10, 30). With other `steps` or another
/// `step_size`, M is different and its best x is not given.
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    options.dimension(NAME, 1, 1, 1)?;
    if options.inner_start.is_some() {
        return Err(Error::StartIsX { problem: NAME });
    }
    let x_0 = options.seed.stream(INSTANCE).rng().random::<f64>() * 40.0 - 10.0;
    let defaults = options.training(Defaults {
        steps: STEPS,
        step_size: STEP_SIZE,
        outer_steps: 10_000,
        outer_optimizer: Outer::Sgd {
            rate: 10.0,
            decay: 1.0,
        },
    })?;
    let (tasks, best) = tasks();
    let make = |task: Task| {
        let objective = || separable(1, 1, false, move |_, _, y| task.jet(y));
        Problem::new(objective(), objective(), StartFromX::new(0..1))
    };
    let family = Family([make(tasks[0])?, make(tasks[1])?]);
    let mean = move |x: f64| {
        let [one, two] = tasks.map(|task| task.trained(x, defaults.steps, defaults.step_size));
        (f64::midpoint(one.0, two.0), f64::midpoint(one.1, two.1))
    };
    let as_published = defaults.steps == STEPS && defaults.step_size == STEP_SIZE;
    Ok(TestProblem {
        name: NAME,
        summary: "two tasks for which first-order meta-gradients end at x = 5.76, the true ones at x = 2.84",
        reference: "Likhosherstov et al., UFO-BLO, arXiv 2006.03631",
        family: Arc::new(family),
        x_bounds: None,
        y_set: Set::All,
        start: options.start(NAME, vec![x_0])?,
        inner_start: vec![],
        defaults,
        optimum: as_published.then(|| Optimum {
            x: vec![best],
            y: vec![],
            f: mean(best).0,
        }),
        moduli: None,
        truth: Truth::new(move |x| mean(x[0]).0, move |x| vec![mean(x[0]).1]),
    })
}
