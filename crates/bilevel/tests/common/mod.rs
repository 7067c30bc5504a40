//! A small smooth problem with every way for x to enter, written by hand.

pub(crate) mod agreement;
pub(crate) mod implicit;
pub(crate) mod remembering;
pub(crate) mod toys;
pub(crate) mod waves;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bilevel::{Adjoint, Closures, Draw, Dynamics, FixedStart, Problem, StartFromX, Unrolled};

/// Rows of inputs (three numbers each) and one target.
#[derive(Clone)]
pub(crate) struct Rows {
    inputs: Vec<[f64; 3]>,
    targets: Vec<f64>,
    batch: usize,
    /// How often the losses were worked out, by all clones together.
    worked_out: Arc<AtomicUsize>,
}

impl Rows {
    /// `rows` rows, `batch` of them at a time, varied by `phase`.
    pub(crate) fn new(rows: usize, batch: usize, phase: f64) -> Self {
        let wave = |i: usize, j: usize| (1.7 * i as f64 + 2.3 * j as f64 + phase).sin();
        Self {
            inputs: (0..rows)
                .map(|i| [wave(i, 0), wave(i, 1), wave(i, 2)])
                .collect(),
            targets: (0..rows).map(|i| 0.8 * wave(i, 5)).collect(),
            batch,
            worked_out: Arc::default(),
        }
    }

    /// How often the losses were worked out since the last time that this was asked.
    pub(crate) fn worked_out(&self) -> usize {
        self.worked_out.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        self.inputs.len()
    }

    fn rows(&self, draw: Draw) -> Vec<usize> {
        draw.rows(self.len(), self.batch)
            .map_or_else(|| (0..self.len()).collect(), Iterator::collect)
    }

    /// (loss, first, second derivative in z = a·y) of (tanh z − b)²/2, for each row.
    fn losses(&self, y: &[f64], draw: Draw) -> Vec<(usize, f64, f64, f64)> {
        self.worked_out.fetch_add(1, Ordering::Relaxed);
        let rows = self.rows(draw);
        let size = rows.len() as f64;
        rows.into_iter()
            .map(|i| {
                let t = self.along(i, y).tanh();
                let (r, slope) = (t - self.targets[i], 1.0 - t * t);
                let second = slope * slope - 2.0 * r * t * slope;
                (i, r * r / 2.0 / size, r * slope / size, second / size)
            })
            .collect()
    }

    /// How many numbers a tape with `each` numbers for each row has: a few more at some
    /// steps, so that a tape of another step does not fit.
    fn tape_len(&self, draw: Draw, each: usize) -> usize {
        let spare = match draw {
            Draw::All => 0,
            Draw::Step { step, .. } => step as usize % 3,
        };
        each * self.batch.min(self.len()) + spare
    }

    fn along(&self, i: usize, y: &[f64]) -> f64 {
        self.inputs[i].iter().zip(y).map(|(a, y)| a * y).sum()
    }

    fn spread(&self, i: usize, scale: f64, out: &mut [f64]) {
        for (out, a) in out.iter_mut().zip(self.inputs[i]) {
            *out += scale * a;
        }
    }
}

fn pairs(tape: &mut [f64]) -> &mut [[f64; 2]] {
    tape.as_chunks_mut().0
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn slope(x: f64) -> f64 {
    sigmoid(x) * (1.0 - sigmoid(x))
}

/// mean_i σ(x_i) · loss_i(y), with n = `x_len` at least the number of rows.
pub(crate) fn weighted(data: Rows, x_len: usize) -> Closures<f64> {
    let (d1, d2, d3, d4, d5) = (
        data.clone(),
        data.clone(),
        data.clone(),
        data.clone(),
        data.clone(),
    );
    let (d6, d7, d8) = (data.clone(), data.clone(), data);
    Closures::<f64>::new(
        x_len,
        3,
        move |x, y, draw| {
            d1.losses(y, draw)
                .iter()
                .map(|l| sigmoid(x[l.0]) * l.1)
                .sum()
        },
        move |x, y, draw, out| {
            for (i, _, first, _) in d2.losses(y, draw) {
                d2.spread(i, sigmoid(x[i]) * first, out);
            }
        },
    )
    .with_grad_x(move |x, y, draw, out| {
        for (i, value, _, _) in d3.losses(y, draw) {
            out[i] += slope(x[i]) * value;
        }
    })
    .with_second_order(
        move |x, y, draw, v, y_bar, x_bar| {
            for (i, _, first, second) in d4.losses(y, draw) {
                let along = d4.along(i, v);
                d4.spread(i, sigmoid(x[i]) * second * along, y_bar);
                x_bar[i] += slope(x[i]) * first * along;
            }
        },
        move |x, y, draw, dx, dy, out| {
            for (i, _, first, second) in d5.losses(y, draw) {
                let along = sigmoid(x[i]) * second * d5.along(i, dy);
                d5.spread(i, along + slope(x[i]) * first * dx[i], out);
            }
        },
    )
    // For each row σ(x_i) · second and σ'(x_i) · first: the product needs neither y nor x.
    .with_tape(
        move |draw| d6.tape_len(draw, 2),
        move |x, y, draw, out, tape| {
            for ((i, _, first, second), tape) in d7.losses(y, draw).into_iter().zip(pairs(tape)) {
                d7.spread(i, sigmoid(x[i]) * first, out);
                *tape = [sigmoid(x[i]) * second, slope(x[i]) * first];
            }
        },
        move |_, _, draw, tape, v, y_bar, x_bar| {
            let (tape, _) = tape.as_chunks();
            for (i, &[second, first]) in d8.rows(draw).into_iter().zip(tape) {
                let along = d8.along(i, v);
                d8.spread(i, second * along, y_bar);
                x_bar[i] += first * along;
            }
        },
    )
}

/// mean_i loss_i(y) + `coupling` · Σ_j x_j sin(y_{j mod 3}); x enters unless it is zero.
pub(crate) fn plain(data: Rows, x_len: usize, coupling: f64) -> Closures<f64> {
    let (d1, d2, d3, d4) = (data.clone(), data.clone(), data.clone(), data.clone());
    let (d5, d6, d7) = (data.clone(), data.clone(), data);
    let objective = Closures::<f64>::new(
        x_len,
        3,
        move |x, y, draw| {
            let sum: f64 = (0..x_len).map(|j| x[j] * y[j % 3].sin()).sum();
            d1.losses(y, draw).iter().map(|l| l.1).sum::<f64>() + coupling * sum
        },
        move |x, y, draw, out| {
            for (i, _, first, _) in d2.losses(y, draw) {
                d2.spread(i, first, out);
            }
            for j in 0..x_len {
                out[j % 3] += coupling * x[j] * y[j % 3].cos();
            }
        },
    )
    .with_second_order(
        move |x, y, draw, v, y_bar, x_bar| {
            for (i, _, _, second) in d3.losses(y, draw) {
                d3.spread(i, second * d3.along(i, v), y_bar);
            }
            for j in 0..x_len {
                y_bar[j % 3] -= coupling * x[j] * y[j % 3].sin() * v[j % 3];
                x_bar[j] += coupling * y[j % 3].cos() * v[j % 3];
            }
        },
        move |x, y, draw, dx, dy, out| {
            for (i, _, _, second) in d4.losses(y, draw) {
                d4.spread(i, second * d4.along(i, dy), out);
            }
            for j in 0..x_len {
                out[j % 3] -= coupling * x[j] * y[j % 3].sin() * dy[j % 3];
                out[j % 3] += coupling * y[j % 3].cos() * dx[j];
            }
        },
    )
    // −Σ x_j sin(y) and cos(y) for each of three numbers, times the coupling; then the
    // second derivative for each row.
    .with_tape(
        move |draw| 6 + d5.tape_len(draw, 1),
        move |x, y, draw, out, tape| {
            let (coupled, tape) = tape.split_at_mut(6);
            coupled.fill(0.0);
            for j in 0..x_len {
                let (sin, cos) = y[j % 3].sin_cos();
                out[j % 3] += coupling * x[j] * cos;
                coupled[j % 3] -= coupling * x[j] * sin;
                coupled[3 + j % 3] = coupling * cos;
            }
            for ((i, _, first, second), tape) in d6.losses(y, draw).into_iter().zip(tape) {
                d6.spread(i, first, out);
                *tape = second;
            }
        },
        move |_, _, draw, tape, v, y_bar, x_bar| {
            let (coupled, tape) = tape.split_at(6);
            for j in 0..3 {
                y_bar[j] += coupled[j] * v[j];
            }
            for j in 0..x_len {
                x_bar[j] += coupled[3 + j % 3] * v[j % 3];
            }
            for (i, &second) in d7.rows(draw).into_iter().zip(tape) {
                d7.spread(i, second * d7.along(i, v), y_bar);
            }
        },
    );
    if coupling == 0.0 {
        return objective;
    }
    objective.with_grad_x(move |_, y, _, out| {
        for j in 0..x_len {
            out[j] += coupling * y[j % 3].sin();
        }
    })
}

/// 8 weights, 3 numbers for the start, 1 for the step size.
pub(crate) const X_LEN: usize = 12;
pub(crate) const STEPS: usize = 13;

pub(crate) fn x() -> Vec<f64> {
    (0..X_LEN)
        .map(|i| 0.7 * (1.3 * i as f64 + 0.4).sin())
        .collect()
}

pub(crate) fn problem(batch: usize, coupling: f64, start_from_x: bool) -> Problem<f64> {
    let inner = weighted(Rows::new(8, batch, 0.3), X_LEN);
    let outer = plain(Rows::new(6, batch.min(6), 1.1), X_LEN, coupling);
    if start_from_x {
        Problem::new(inner, outer, StartFromX::new(8..11)).unwrap()
    } else {
        Problem::new(inner, outer, FixedStart(vec![0.2, -0.1, 0.3])).unwrap()
    }
}

pub(crate) fn unrolled(
    dynamics: &(impl Dynamics<f64> + Clone + 'static),
    adjoint: impl Adjoint<f64> + 'static,
) -> Unrolled<f64> {
    Unrolled {
        dynamics: Box::new(dynamics.clone()),
        steps: STEPS,
        adjoint: Box::new(adjoint),
    }
}
