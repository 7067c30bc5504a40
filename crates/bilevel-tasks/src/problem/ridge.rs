//! The strength of a penalty, tuned on held-out rows.

use std::sync::Arc;

use bilevel::vector::{axpy, dot};
use bilevel::{Bounds, Closures, FixedStart, Key, Problem, Set};

use super::minimum::minimum;
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;
use crate::stream::INSTANCE;

pub(super) const NAME: &str = "ridge";

/// Rows per feature, in the training data and in the held-out data.
const ROWS: usize = 4;
/// Standard deviation of the noise in the targets.
const NOISE: f64 = 2.0;
/// The box of x.
const BOX: [f64; 2] = [-6.0, 1.0];
/// The cost of the closed form is cubic in the dimension.
const MOST: usize = 200;

/// f = ‖Vy − u‖²/2N,  g = ‖Ay − b‖²/2N + eˣ‖y‖²/2,  x a number in [−6, 1].
///
/// Training rows (A, b) and held-out rows (V, u), N = 4m of each, are normal; half of the true
/// coefficients are zero; the noise has standard deviation 2. The seed determines all of them.
///
/// y*(x) = (AᵀA/N + eˣ)⁻¹ Aᵀb/N and φ' = −eˣ ⟨q, y*⟩ with (AᵀA/N + eˣ) q = ∇_y f(y*). The best x
/// in the box is found on a grid of 140 intervals and refined by bisection of φ'.
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    let m = options.dimension(NAME, 10, 1, MOST)?;
    let inner_start = options.inner_start(NAME, vec![0.0; m])?;
    let key = options.seed.stream(INSTANCE);
    let coefficients: Vec<f64> = key
        .fold_in(0)
        .normals()
        .zip((0..m).map(|j| j.is_multiple_of(2)))
        .map(|(normal, counts)| if counts { normal } else { 0.0 })
        .collect();
    let training = Squares::drawn(&coefficients, key.fold_in(1));
    let held_out = Squares::drawn(&coefficients, key.fold_in(2));
    let family = Problem::new(
        penalised(training.clone()),
        plain(held_out.clone()),
        FixedStart(inner_start.clone()),
    )?;
    let truth = Arc::new(ClosedForm { training, held_out });
    let [lower, upper] = BOX;
    let x = minimum(lower, upper, |x| truth.value(x), |x| truth.slope(x));
    let (one, two) = (truth.clone(), truth.clone());
    Ok(TestProblem {
        name: NAME,
        summary: "the strength of a ridge penalty, tuned on held-out rows, in closed form",
        reference: "Pedregosa, HOAG, arXiv 1602.02355, for problems of this kind",
        family: Arc::new(family),
        x_bounds: Some(Bounds::uniform(lower, upper)?),
        y_set: Set::All,
        start: options.start(NAME, vec![0.0])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 300,
            step_size: 0.2,
            outer_steps: 200,
            outer_optimizer: Outer::Adam { rate: 0.1 },
        })?,
        optimum: Some(Optimum {
            x: vec![x],
            y: truth.trained(x),
            f: truth.value(x),
        }),
        moduli: None,
        truth: Truth::new(move |x| one.value(x[0]), move |x| vec![two.slope(x[0])]),
    })
}

/// ‖Ay − b‖²/2N as yᵀHy/2 − cᵀy + half: H = AᵀA/N row by row, c = Aᵀb/N.
#[derive(Clone)]
struct Squares {
    hessian: Vec<f64>,
    linear: Vec<f64>,
    half: f64,
}

impl Squares {
    fn drawn(coefficients: &[f64], key: Key) -> Self {
        let m = coefficients.len();
        let rows = ROWS * m;
        let share = 1.0 / rows as f64;
        let mut normals = key.normals();
        let (mut hessian, mut linear, mut half) = (vec![0.0; m * m], vec![0.0; m], 0.0);
        for _ in 0..rows {
            let row: Vec<f64> = normals.by_ref().take(m).collect();
            let noise: f64 = normals.by_ref().take(1).sum();
            let target = dot(&row, coefficients) + NOISE * noise;
            for (line, a) in hessian.chunks_exact_mut(m).zip(&row) {
                axpy(share * a, &row, line);
            }
            axpy(share * target, &row, &mut linear);
            half += share * target * target / 2.0;
        }
        Self {
            hessian,
            linear,
            half,
        }
    }

    /// `out += H v`.
    fn product(&self, v: &[f64], out: &mut [f64]) {
        for (out, line) in out.iter_mut().zip(self.hessian.chunks_exact(v.len())) {
            *out += dot(line, v);
        }
    }

    fn value(&self, y: &[f64]) -> f64 {
        let mut product = vec![0.0; y.len()];
        self.product(y, &mut product);
        dot(&product, y) / 2.0 - dot(&self.linear, y) + self.half
    }

    /// `out += H y − c`.
    fn gradient(&self, y: &[f64], out: &mut [f64]) {
        self.product(y, out);
        axpy(-1.0, &self.linear, out);
    }
}

/// Only the squares, independent of x.
fn plain(squares: Squares) -> Closures<f64> {
    let m = squares.linear.len();
    let squares = Arc::new(squares);
    let [one, two, three, four] = std::array::from_fn(|_| squares.clone());
    Closures::new(
        1,
        m,
        move |_, y: &[f64], _| one.value(y),
        move |_, y, _, out| two.gradient(y, out),
    )
    .with_second_order(
        move |_, _, _, v, y_bar, _| three.product(v, y_bar),
        move |_, _, _, _, dy, out| four.product(dy, out),
    )
}

/// The squares and the penalty.
fn penalised(squares: Squares) -> Closures<f64> {
    let m = squares.linear.len();
    let squares = Arc::new(squares);
    let [one, two, three, four] = std::array::from_fn(|_| squares.clone());
    Closures::new(
        1,
        m,
        move |x: &[f64], y: &[f64], _| one.value(y) + x[0].exp() * dot(y, y) / 2.0,
        move |x, y, _, out| {
            two.gradient(y, out);
            axpy(x[0].exp(), y, out);
        },
    )
    .with_grad_x(|x, y, _, out| out[0] += x[0].exp() * dot(y, y) / 2.0)
    .with_second_order(
        move |x, y, _, v, y_bar, x_bar| {
            three.product(v, y_bar);
            axpy(x[0].exp(), v, y_bar);
            x_bar[0] += x[0].exp() * dot(y, v);
        },
        move |x, y, _, dx, dy, out| {
            four.product(dy, out);
            axpy(x[0].exp(), dy, out);
            axpy(x[0].exp() * dx[0], y, out);
        },
    )
}

/// φ and its derivative.
struct ClosedForm {
    training: Squares,
    held_out: Squares,
}

impl ClosedForm {
    /// y*(x).
    fn trained(&self, x: f64) -> Vec<f64> {
        Factor::new(&self.training.hessian, self.training.linear.len(), x.exp())
            .solve(&self.training.linear)
    }

    fn value(&self, x: f64) -> f64 {
        self.held_out.value(&self.trained(x))
    }

    fn slope(&self, x: f64) -> f64 {
        let m = self.training.linear.len();
        let factor = Factor::new(&self.training.hessian, m, x.exp());
        let y = factor.solve(&self.training.linear);
        let mut gradient = vec![0.0; m];
        self.held_out.gradient(&y, &mut gradient);
        -x.exp() * dot(&factor.solve(&gradient), &y)
    }
}

/// The lower Cholesky factor of H + shift, which is positive definite.
struct Factor {
    lines: Vec<Vec<f64>>,
}

impl Factor {
    fn new(hessian: &[f64], m: usize, shift: f64) -> Self {
        let mut lines: Vec<Vec<f64>> = Vec::with_capacity(m);
        for (i, line) in hessian.chunks_exact(m).enumerate() {
            let mut new: Vec<f64> = Vec::with_capacity(i + 1);
            for (j, known) in lines.iter().enumerate() {
                new.push((line[j] - dot(&new, known)) / known[j]);
            }
            new.push((line[i] + shift - dot(&new, &new)).sqrt());
            lines.push(new);
        }
        Self { lines }
    }

    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut z: Vec<f64> = Vec::with_capacity(right.len());
        for (i, line) in self.lines.iter().enumerate() {
            z.push((right[i] - dot(&z, line)) / line[i]);
        }
        for (i, line) in self.lines.iter().enumerate().rev() {
            let (before, rest) = z.split_at_mut(i);
            rest[0] /= line[i];
            axpy(-rest[0], line, before);
        }
        z
    }
}
