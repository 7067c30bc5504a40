//! The family of UFO-BLO (arXiv 2006.03631) on which first-order gradients end away from every
//! stationary point: two tasks in one dimension, whose training starts at x.

use bilevel::{Closures, Key, Problem, Result, StartFromX, TaskFamily};
use rand::RngExt;

/// A quadratic a z²/2 with z = |y − b/a| up to z = `zone`, that bends into a line: its gradient is
/// bounded, and its second derivative continuous.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bowl {
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) zone: f64,
}

impl Bowl {
    pub(crate) fn value(self, y: f64) -> f64 {
        let Self { a, zone, .. } = self;
        let z = (y - self.b / a).abs();
        let over = z - zone;
        if over <= 0.0 {
            a * z * z / 2.0
        } else if over <= 1.0 {
            -a * over.powi(3) / 6.0 + a * over.powi(2) / 2.0 + a * zone * z - a * zone * zone / 2.0
        } else {
            (a / 2.0 + a * zone) * z - a / 6.0 - a * zone * zone / 2.0 - a * zone / 2.0
        }
    }

    pub(crate) fn slope(self, y: f64) -> f64 {
        let signed = y - self.b / self.a;
        let z = signed.abs();
        let over = (z - self.zone).clamp(0.0, 1.0);
        let z = z.min(self.zone + 1.0);
        self.a * (z - over * over / 2.0) * signed.signum()
    }

    pub(crate) fn curvature(self, y: f64) -> f64 {
        let over = (y - self.b / self.a).abs() - self.zone;
        self.a * (1.0 - over.clamp(0.0, 1.0))
    }

    fn objective(self) -> Closures<f64> {
        Closures::<f64>::new(
            1,
            1,
            move |_, y, _| self.value(y[0]),
            move |_, y, _, out| out[0] += self.slope(y[0]),
        )
        .with_second_order(
            move |_, y, _, v, y_bar, _| y_bar[0] += self.curvature(y[0]) * v[0],
            move |_, y, _, _, dy, out| out[0] += self.curvature(y[0]) * dy[0],
        )
    }

    fn problem(self) -> Problem<f64> {
        Problem::new(self.objective(), self.objective(), StartFromX::new(0..1)).unwrap()
    }
}

/// Both tasks at each step, or one of them at random.
pub(crate) struct Bowls {
    pub(crate) bowls: [Bowl; 2],
    problems: [Problem<f64>; 2],
    pub(crate) both: bool,
}

pub(crate) const STEPS: usize = 10;

impl Bowls {
    pub(crate) fn new(a: [f64; 2], b: [f64; 2], zone: f64, both: bool) -> Self {
        let bowls = [0, 1].map(|i| Bowl {
            a: a[i],
            b: b[i],
            zone,
        });
        Self {
            bowls,
            problems: bowls.map(Bowl::problem),
            both,
        }
    }

    /// The one on which the first-order gradient ends at |M′|² = 2 · 0.06.
    pub(crate) fn counterexample(both: bool) -> Self {
        let (a, b) = ([0.5, 1.5], [0.0, Self::second_b()]);
        let zone = (b[0] / a[0] - b[1] / a[1]).abs() + 1.0;
        Self::new(a, b, zone, both)
    }

    /// Step size 0.1, ten steps, D = 0.06.
    pub(crate) fn second_b() -> f64 {
        let (a, p) = ([0.5, 1.5], Self::contractions());
        let square = |i: usize| p[i] * p[i];
        let exact = a[0] * square(0) + a[1] * square(1);
        let first_order = a[0] * p[0] + a[1] * p[1];
        2.0 * (2.0 * 0.06_f64).sqrt() / (exact * p[1] / first_order - square(1)).abs()
    }

    /// Of the ten steps of size 0.1 on the quadratics.
    pub(crate) fn contractions() -> [f64; 2] {
        [0.5, 1.5].map(|a| (1.0_f64 - 0.1 * a).powi(10))
    }
}

impl TaskFamily<f64> for Bowls {
    fn x_len(&self) -> usize {
        1
    }

    fn draw(&self, key: Key, outer_step: usize) -> Vec<usize> {
        if self.both {
            return vec![0, 1];
        }
        let mut rng = key.fold_in(outer_step as u64).rng();
        vec![usize::from(rng.random::<bool>())]
    }

    fn task(&self, number: usize) -> Result<Problem<f64>> {
        Ok(self.problems[number].clone())
    }
}
