//! Softmax regression with hand-written derivatives.
//!
//! With logits z = A·W + b, probabilities P = softmax(z), one-hot labels Y and row weights
//! r: loss_i = −ln P_{i, label}; ∂loss_i/∂z_i = P_i − Y_i; and along dz the derivative of
//! the latter is P_i ∘ (dz_i − ⟨P_i, dz_i⟩).
//!
//! Rows are worked on in blocks that stay in cache, blocks in a fixed number of groups whose
//! sums are added in order: the same bits for any number of threads.

use std::sync::Arc;

use bilevel::objective::{AtX, SecondOrder};
use bilevel::vector::axpy;
use bilevel::{Draw, Layout, Objective};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use super::{Examples, LossSettings, Real};
use crate::Error;

/// Rows of a block: 128 rows of 784 numbers in f32 are 400 kB, which a second-level cache
/// holds between the two products.
const BLOCK: usize = 128;

/// At most this many partial sums.
const GROUPS: usize = 16;

/// `c = a·b`, or `c += a·b`. Shapes: (rows, inner) · (inner, columns).
fn product<T: Real>(
    a: &ArrayView2<'_, T>,
    b: &ArrayView2<'_, T>,
    add: bool,
    mut c: ArrayViewMut2<'_, T>,
) {
    let keep = if add { T::one() } else { T::zero() };
    general_mat_mul(T::one(), a, b, keep, &mut c);
}

/// A row-major matrix in a slice of exactly rows × columns numbers.
fn matrix<T>(slice: &[T], rows: usize, columns: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((rows, columns), &slice[..rows * columns])
        .unwrap_or_else(|_| unreachable!("a slice of rows × columns is a matrix"))
}

/// The same, to write to.
fn matrix_mut<T>(slice: &mut [T], rows: usize, columns: usize) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((rows, columns), &mut slice[..rows * columns])
        .unwrap_or_else(|_| unreachable!("a slice of rows × columns is a matrix"))
}

/// Turns a row of logits into probabilities; returns log-sum-exp.
fn softmax_row<T: Real>(row: &mut [T]) -> T {
    let top = row.iter().copied().fold(T::neg_infinity(), T::max);
    let mut sum = T::zero();
    for value in row.iter_mut() {
        *value = (*value - top).exp();
        sum += *value;
    }
    for value in row.iter_mut() {
        *value /= sum;
    }
    top + sum.ln()
}

/// `logits = features · W + b` for `rows` rows of features.
fn logits_into<T: Real>(y: &[T], columns: usize, classes: usize, features: &[T], out: &mut [T]) {
    let (weight, bias) = y.split_at(columns * classes);
    for row in out.chunks_exact_mut(classes) {
        row.copy_from_slice(bias);
    }
    let rows = out.len() / classes;
    product(
        &matrix(features, rows, columns),
        &matrix(weight, columns, classes),
        true,
        matrix_mut(out, rows, classes),
    );
}

pub(super) fn probabilities<T: Real>(y: &[T], examples: &Examples<T>) -> Vec<T> {
    let (columns, classes) = (examples.columns, examples.classes);
    let mut out = vec![T::zero(); examples.rows() * classes];
    out.par_chunks_mut(BLOCK * classes)
        .enumerate()
        .for_each(|(block, out)| {
            let first = block * BLOCK * columns;
            let rows = out.len() / classes;
            let features = &examples.features[first..first + rows * columns];
            logits_into(y, columns, classes, features, out);
            for row in out.chunks_exact_mut(classes) {
                softmax_row(row);
            }
        });
    out
}

/// mean_i r_i · cross-entropy_i + D‖y‖²/2 with r = σ(x), or 1.
pub(super) struct SoftmaxLoss<T> {
    examples: Arc<Examples<T>>,
    settings: LossSettings,
    x_layout: Layout,
    y_layout: Layout,
}

impl<T: Real> SoftmaxLoss<T> {
    pub(super) fn new(
        examples: Arc<Examples<T>>,
        settings: LossSettings,
        x_len: usize,
    ) -> Result<Self, Error> {
        let rows = examples.rows();
        if let Some(batch) = settings.batch {
            bilevel::check_batch("batch", batch, rows)?;
        }
        if rows == 0 {
            return Err(Error::NoRows);
        }
        if settings.weighted && x_len != rows {
            return Err(Error::Length {
                what: "numbers of x",
                expected: rows,
                found: x_len,
            });
        }
        let (columns, classes) = (examples.columns, examples.classes);
        Ok(Self {
            examples,
            settings,
            x_layout: Layout::vector("x", x_len),
            y_layout: Layout::new([("weight", vec![columns, classes]), ("bias", vec![classes])]),
        })
    }
}

impl<T: Real> Objective<T> for SoftmaxLoss<T> {
    fn x_layout(&self) -> &Layout {
        &self.x_layout
    }

    fn y_layout(&self) -> &Layout {
        &self.y_layout
    }

    fn depends_on_x(&self) -> bool {
        self.settings.weighted
    }

    fn has_second_order(&self) -> bool {
        true
    }

    fn at<'a>(&'a self, x: &'a [T]) -> bilevel::Result<Box<dyn AtX<T> + 'a>> {
        if x.len() != self.x_layout.len() {
            return Err(bilevel::Error::Length {
                what: "x",
                expected: self.x_layout.len(),
                found: x.len(),
            });
        }
        let rows = self.examples.rows();
        let row_weights = if self.settings.weighted {
            x.iter()
                .map(|&x| T::one() / (T::one() + (-x).exp()))
                .collect()
        } else {
            vec![T::one(); rows]
        };
        let batch = self.settings.batch.unwrap_or(rows);
        let blocks = batch.div_ceil(BLOCK);
        let blocks_a_group = blocks.div_ceil(GROUPS);
        let gathers = batch < rows;
        let groups = (0..blocks.div_ceil(blocks_a_group))
            .map(|_| Group::new(&self.examples, self.y_layout.len(), gathers))
            .collect();
        Ok(Box::new(SoftmaxAtX {
            loss: self,
            collected: vec![T::zero(); if self.settings.weighted { rows } else { 0 }],
            row_weights,
            row_slopes: Vec::new(),
            batch_rows: Vec::with_capacity(if gathers { batch } else { 0 }),
            row_bar: vec![T::zero(); if self.settings.weighted { batch } else { 0 }],
            both: Vec::new(),
            blocks_a_group,
            groups,
        }))
    }
}

/// The work space of one group of blocks, which one thread works on at a time.
struct Group<T> {
    loss: T,
    /// The partial sum of the group, m numbers.
    sum: Vec<T>,
    logits: Vec<T>,
    tangents: Vec<T>,
    both: Vec<T>,
    features: Vec<T>,
}

impl<T: Real> Group<T> {
    fn new(examples: &Examples<T>, y_len: usize, gathers: bool) -> Self {
        let block = vec![T::zero(); BLOCK * examples.classes];
        Self {
            loss: T::zero(),
            sum: vec![T::zero(); y_len],
            tangents: block.clone(),
            both: vec![T::zero(); 2 * block.len()],
            logits: block,
            features: vec![T::zero(); if gathers { BLOCK * examples.columns } else { 0 }],
        }
    }
}

/// What a pass over the rows computes.
#[derive(Clone, Copy)]
enum Pass<'p, T> {
    /// The loss.
    Value,
    /// ∇_y.
    Gradient,
    /// The unweighted loss of each row.
    RowLosses,
    /// ∇²_yy v, and ⟨∇_y loss_i, v⟩ of each row.
    Pull(&'p [T]),
    /// ∇²_yy dy + Σ_i dr_i ∇_y loss_i, with dr for all rows of the data.
    Push(&'p [T], &'p [T]),
}

struct SoftmaxAtX<'a, T> {
    loss: &'a SoftmaxLoss<T>,
    /// r.
    row_weights: Vec<T>,
    /// dr of a push.
    row_slopes: Vec<T>,
    /// r_bar, for all rows of the data.
    collected: Vec<T>,
    /// The rows of the batch, where it is not all rows.
    batch_rows: Vec<usize>,
    /// A number for each row of the batch.
    row_bar: Vec<T>,
    /// \[W V; b v\]: both operands of a second-order product side by side.
    both: Vec<T>,
    blocks_a_group: usize,
    groups: Vec<Group<T>>,
}

impl<T: Real> SoftmaxAtX<'_, T> {
    /// Runs a pass over the rows of the draw; the sums stand in the groups then, the row
    /// numbers in `row_bar`. Returns how many rows there were.
    fn pass(&mut self, y: &[T], draw: Draw, pass: Pass<'_, T>) -> usize {
        let examples = &*self.loss.examples;
        let batch = self.loss.settings.batch.unwrap_or(examples.rows());
        self.batch_rows.clear();
        if let Some(rows) = draw.rows(examples.rows(), batch) {
            self.batch_rows.extend(rows);
        }
        let rows = if self.batch_rows.is_empty() {
            examples.rows()
        } else {
            self.batch_rows.len()
        };
        // A draw of all rows has more blocks than the batches that the groups are made for.
        let blocks_a_group = if rows == batch {
            self.blocks_a_group
        } else {
            rows.div_ceil(BLOCK).div_ceil(self.groups.len())
        };
        if let Pass::Pull(v) | Pass::Push(v, _) = pass {
            side_by_side(y, v, examples.classes, &mut self.both);
        }
        let context = BlockContext {
            examples,
            weighted: self.loss.settings.weighted,
            row_weights: &self.row_weights,
            batch_rows: &self.batch_rows,
            both: &self.both,
            y,
            pass,
        };
        if self.loss.settings.weighted && self.row_bar.len() < rows {
            self.row_bar.resize(rows, T::zero());
        }
        let rows_a_group = blocks_a_group * BLOCK;
        let mut row_bars: Vec<&mut [T]> = if self.loss.settings.weighted {
            self.row_bar[..rows].chunks_mut(rows_a_group).collect()
        } else {
            Vec::new()
        };
        // Groups without rows take part too: what an earlier pass left there must go.
        row_bars.resize_with(self.groups.len(), Default::default);
        self.groups
            .par_iter_mut()
            .zip(row_bars.par_iter_mut())
            .enumerate()
            .for_each(|(index, (group, row_bar))| {
                group.loss = T::zero();
                group.sum.fill(T::zero());
                let first = index * rows_a_group;
                for start in (first..(first + rows_a_group).min(rows)).step_by(BLOCK) {
                    let end = (start + BLOCK).min(rows).min(first + rows_a_group);
                    let row_bar = row_bar.get_mut(start - first..end - first);
                    context.block(start, end, group, row_bar.unwrap_or_default());
                }
            });
        rows
    }

    /// `out += scale · Σ groups`.
    fn add_sums(&self, scale: T, out: &mut [T]) {
        for group in &self.groups {
            axpy(scale, &group.sum, out);
        }
    }

    /// `r_bar += scale ·` the row numbers of the last pass.
    fn collect(&mut self, rows: usize, scale: T) {
        if !self.loss.settings.weighted {
            return;
        }
        if self.batch_rows.is_empty() {
            axpy(scale, &self.row_bar[..rows], &mut self.collected);
        } else {
            for (&row, &bar) in self.batch_rows.iter().zip(&self.row_bar) {
                self.collected[row] += scale * bar;
            }
        }
    }

    fn weight_decay(&self) -> T {
        T::from_f64(self.loss.settings.weight_decay)
    }
}

/// Rows of (columns + 1) × 2·classes: \[W V\], then \[b v\].
fn side_by_side<T: Real>(y: &[T], v: &[T], classes: usize, out: &mut Vec<T>) {
    out.clear();
    for (y, v) in y.chunks_exact(classes).zip(v.chunks_exact(classes)) {
        out.extend_from_slice(y);
        out.extend_from_slice(v);
    }
}

/// What the blocks of a pass share.
struct BlockContext<'p, T> {
    examples: &'p Examples<T>,
    weighted: bool,
    row_weights: &'p [T],
    batch_rows: &'p [usize],
    both: &'p [T],
    y: &'p [T],
    pass: Pass<'p, T>,
}

impl<T: Real> BlockContext<'_, T> {
    /// Works on rows `start..end` of the batch.
    fn block(&self, start: usize, end: usize, group: &mut Group<T>, row_bar: &mut [T]) {
        let (columns, classes) = (self.examples.columns, self.examples.classes);
        let rows = end - start;
        let Group {
            loss,
            sum,
            logits,
            tangents,
            both,
            features: gathered,
        } = group;
        let features = if self.batch_rows.is_empty() {
            &self.examples.features[start * columns..end * columns]
        } else {
            for (slot, &row) in gathered
                .chunks_exact_mut(columns)
                .zip(&self.batch_rows[start..end])
            {
                slot.copy_from_slice(self.examples.row(row));
            }
            &gathered[..rows * columns]
        };
        let logits = &mut logits[..rows * classes];
        let tangents = &mut tangents[..rows * classes];
        if matches!(self.pass, Pass::Pull(_) | Pass::Push(..)) {
            let both = &mut both[..2 * rows * classes];
            logits_into(self.both, columns, 2 * classes, features, both);
            for (pair, (logits, tangents)) in both.chunks_exact(2 * classes).zip(
                logits
                    .chunks_exact_mut(classes)
                    .zip(tangents.chunks_exact_mut(classes)),
            ) {
                logits.copy_from_slice(&pair[..classes]);
                tangents.copy_from_slice(&pair[classes..]);
            }
        } else {
            logits_into(self.y, columns, classes, features, logits);
        }
        for (i, (row, tangent)) in logits
            .chunks_exact_mut(classes)
            .zip(tangents.chunks_exact_mut(classes))
            .enumerate()
        {
            let position = start + i;
            let data_row = *self.batch_rows.get(position).unwrap_or(&position);
            let label = self.examples.labels[data_row] as usize;
            let weight = self.row_weights[data_row];
            let given = row[label];
            let cross_entropy = softmax_row(row) - given;
            match self.pass {
                Pass::Value => *loss += weight * cross_entropy,
                Pass::RowLosses => row_bar[i] = cross_entropy,
                Pass::Gradient => {
                    row[label] -= T::one();
                    for value in row.iter_mut() {
                        *value *= weight;
                    }
                }
                Pass::Pull(_) | Pass::Push(..) => {
                    let mean: T = row.iter().zip(&*tangent).map(|(&p, &dz)| p * dz).sum();
                    let slope = match self.pass {
                        Pass::Push(_, slopes) if self.weighted => slopes[data_row],
                        _ => T::zero(),
                    };
                    if let (Pass::Pull(_), Some(bar)) = (self.pass, row_bar.get_mut(i)) {
                        *bar = mean - tangent[label];
                    }
                    for (p, dz) in row.iter_mut().zip(&*tangent) {
                        *p *= weight * (*dz - mean) + slope;
                    }
                    row[label] -= slope;
                }
            }
        }
        if matches!(self.pass, Pass::Value | Pass::RowLosses) {
            return;
        }
        let (weight_sum, bias_sum) = sum.split_at_mut(columns * classes);
        product(
            &matrix(features, rows, columns).reversed_axes(),
            &matrix(logits, rows, classes),
            true,
            matrix_mut(weight_sum, columns, classes),
        );
        for row in logits.chunks_exact(classes) {
            axpy(T::one(), row, bias_sum);
        }
    }
}

impl<T: Real> AtX<T> for SoftmaxAtX<'_, T> {
    fn value(&mut self, y: &[T], draw: Draw) -> bilevel::Result<T> {
        let rows = self.pass(y, draw, Pass::Value);
        let sum: T = self.groups.iter().map(|group| group.loss).sum();
        let mean = sum / T::from_f64(rows as f64);
        let squares = T::from_f64(bilevel::vector::dot(y, y) / 2.0);
        Ok(mean + self.weight_decay() * squares)
    }

    fn grad_y(&mut self, y: &[T], draw: Draw, out: &mut [T]) -> bilevel::Result<()> {
        let rows = self.pass(y, draw, Pass::Gradient);
        out.fill(T::zero());
        self.add_sums(T::one() / T::from_f64(rows as f64), out);
        axpy(self.weight_decay(), y, out);
        Ok(())
    }

    fn grad_x(&mut self, y: &[T], draw: Draw, scale: T) -> bilevel::Result<()> {
        if self.loss.settings.weighted {
            let rows = self.pass(y, draw, Pass::RowLosses);
            self.collect(rows, scale / T::from_f64(rows as f64));
        }
        Ok(())
    }

    fn second_order(&mut self) -> Option<&mut dyn SecondOrder<T>> {
        Some(self)
    }

    fn finish(&mut self, x_bar: &mut [T]) -> bilevel::Result<()> {
        for ((bar, collected), &weight) in x_bar
            .iter_mut()
            .zip(&mut self.collected)
            .zip(&self.row_weights)
        {
            *bar += *collected * weight * (T::one() - weight);
            *collected = T::zero();
        }
        Ok(())
    }
}

impl<T: Real> SecondOrder<T> for SoftmaxAtX<'_, T> {
    fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> bilevel::Result<()> {
        let rows = self.pass(y, draw, Pass::Pull(v));
        let scale = T::one() / T::from_f64(rows as f64);
        self.add_sums(scale, y_bar);
        self.collect(rows, scale);
        axpy(self.weight_decay(), v, y_bar);
        Ok(())
    }

    fn push(
        &mut self,
        y: &[T],
        draw: Draw,
        dx: &[T],
        dy: &[T],
        out: &mut [T],
    ) -> bilevel::Result<()> {
        let mut slopes = std::mem::take(&mut self.row_slopes);
        slopes.clear();
        if self.loss.settings.weighted {
            slopes.extend(
                dx.iter()
                    .zip(&self.row_weights)
                    .map(|(&dx, &weight)| dx * weight * (T::one() - weight)),
            );
        }
        let rows = self.pass(y, draw, Pass::Push(dy, &slopes));
        self.row_slopes = slopes;
        self.add_sums(T::one() / T::from_f64(rows as f64), out);
        axpy(self.weight_decay(), dy, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits::digits;
    use bilevel::Key;
    use bilevel::check::{random_direction, second_order_check};

    fn loss(rows: usize, weighted: bool, batch: Option<usize>) -> SoftmaxLoss<f64> {
        let rows: Vec<usize> = (0..rows).collect();
        let data = digits().select(&rows).unwrap();
        let settings = LossSettings {
            weighted,
            batch,
            weight_decay: 0.01,
        };
        SoftmaxLoss::new(Arc::new(Examples::new(&data)), settings, rows.len()).unwrap()
    }

    /// The gradients against central differences of the value; the products against those
    /// of the gradients. 300 rows are three blocks, the last of them not full.
    #[test]
    fn derivatives_against_differences() {
        let key = Key::from_seed(5);
        for (weighted, batch) in [
            (true, None),
            (true, Some(150)),
            (false, None),
            (false, Some(7)),
        ] {
            let loss = loss(300, weighted, batch);
            let x: Vec<f64> = random_direction(key.fold_in(1), 300);
            let x: Vec<f64> = x.iter().map(|x| 10.0 * x).collect();
            let y: Vec<f64> = random_direction(key.fold_in(2), 650);
            let check = second_order_check(&loss, &x, &y, key, 1e-8).unwrap();
            assert!(check.passed(), "{weighted} {batch:?} {check:?}");

            let draw = Draw::Step { key, step: 3 };
            let (dx, dy) = (
                random_direction::<f64>(key.fold_in(3), 300),
                random_direction::<f64>(key.fold_in(4), 650),
            );
            let at = |scale: f64| {
                let moved = |z: &[f64], d: &[f64]| -> Vec<f64> {
                    z.iter().zip(d).map(|(z, d)| z + scale * d).collect()
                };
                let x = moved(&x, &dx);
                loss.at(&x).unwrap().value(&moved(&y, &dy), draw).unwrap()
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let mut handle = loss.at(&x).unwrap();
            let mut y_bar = vec![0.0; 650];
            handle.grad_y(&y, draw, &mut y_bar).unwrap();
            handle.grad_x(&y, draw, 1.0).unwrap();
            let mut x_bar = vec![0.0; 300];
            handle.finish(&mut x_bar).unwrap();
            let slope = bilevel::vector::dot(&x_bar, &dx) + bilevel::vector::dot(&y_bar, &dy);
            assert!((slope - difference).abs() < 1e-9, "{weighted} {batch:?}");
            // Each part counts: neither alone gives the slope.
            assert!(!weighted || bilevel::vector::dot(&x_bar, &dx).abs() > 1e-6);
        }
    }

    #[test]
    fn a_draw_of_all_rows_sees_all_rows_whatever_the_batch() {
        let (batched, full) = (loss(300, true, Some(20)), loss(300, true, None));
        let x: Vec<f64> = (0..300).map(|i| (i as f64).sin()).collect();
        let y: Vec<f64> = random_direction(Key::from_seed(1), 650);
        let value = |loss: &SoftmaxLoss<f64>| loss.at(&x).unwrap().value(&y, Draw::All).unwrap();
        assert!((value(&batched) - value(&full)).abs() < 1e-14);
        let draw = Draw::Step {
            key: Key::from_seed(2),
            step: 0,
        };
        let batch_value = batched.at(&x).unwrap().value(&y, draw).unwrap();
        assert!((batch_value - value(&full)).abs() > 1e-6);
    }

    /// 640 rows are five blocks, which three groups of two take; the batches have four groups.
    #[test]
    fn a_draw_of_all_rows_is_the_same_after_a_batch() {
        let loss = loss(640, true, Some(400));
        let x: Vec<f64> = (0..640).map(|i| (i as f64).sin()).collect();
        let y: Vec<f64> = random_direction(Key::from_seed(1), 650);
        let draw = Draw::Step {
            key: Key::from_seed(2),
            step: 0,
        };
        let gradient = |draws: &[Draw]| {
            let mut handle = loss.at(&x).unwrap();
            let mut out = vec![0.0; 650];
            for &draw in draws {
                handle.grad_y(&y, draw, &mut out).unwrap();
            }
            (handle.value(&y, draws[draws.len() - 1]).unwrap(), out)
        };
        assert!(gradient(&[draw, Draw::All]) == gradient(&[Draw::All]));
    }

    #[test]
    fn threads_do_not_change_bits() {
        let loss = loss(1797, true, None);
        let x = vec![0.3; 1797];
        let y: Vec<f64> = random_direction(Key::from_seed(1), 650);
        let gradient = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut out = vec![0.0; 650];
                loss.at(&x)
                    .unwrap()
                    .grad_y(&y, Draw::All, &mut out)
                    .unwrap();
                out
            })
        };
        assert_eq!(gradient(1), gradient(2));
        assert_eq!(gradient(1), gradient(3));
    }
}
