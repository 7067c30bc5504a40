//! Softmax regression with hand-written derivatives, one row after the other: what the traced model is
//! compared with.
//!
//! With logits z = A·W + b, probabilities P = softmax(z), one-hot labels Y and row weights
//! r: loss_i = −ln P_{i, label}; ∂loss_i/∂z_i = P_i − Y_i; and along dz the derivative of
//! the latter is P_i ∘ (dz_i − ⟨P_i, dz_i⟩).

use bilevel::objective::{AtX, SecondOrder};
use bilevel::vector::{axpy, dot};
use bilevel::{Draw, Layout, Objective};
use bilevel_tasks::data::Dataset;
use bilevel_tasks::model::LossSettings;

/// mean_i r_i · cross-entropy_i + D‖y‖²/2 with r = σ(x), or 1.
pub(crate) struct SoftmaxLoss {
    features: Vec<f64>,
    labels: Vec<u32>,
    columns: usize,
    classes: usize,
    settings: LossSettings,
    batch: Option<usize>,
    x_layout: Layout,
    y_layout: Layout,
}

impl SoftmaxLoss {
    pub(crate) fn new(
        data: &Dataset,
        settings: LossSettings,
        batch: Option<usize>,
        x_len: usize,
    ) -> Self {
        let (columns, classes) = (data.columns(), data.classes());
        Self {
            features: data.features().iter().map(|&a| f64::from(a)).collect(),
            labels: data.labels().to_vec(),
            columns,
            classes,
            settings,
            batch,
            x_layout: Layout::vector("x", x_len),
            y_layout: Layout::new([("weight", vec![columns, classes]), ("bias", vec![classes])]),
        }
    }

    fn features(&self, row: usize) -> &[f64] {
        &self.features[row * self.columns..(row + 1) * self.columns]
    }

    /// The logits of a row: linear in y, so that those of a direction are the tangents.
    fn logits(&self, y: &[f64], row: usize) -> Vec<f64> {
        let (weight, bias) = y.split_at(self.columns * self.classes);
        let mut logits = bias.to_vec();
        for (&a, weights) in self
            .features(row)
            .iter()
            .zip(weight.chunks_exact(self.classes))
        {
            axpy(a, weights, &mut logits);
        }
        logits
    }

    /// The probabilities of a row, and its cross-entropy.
    fn forward(&self, y: &[f64], row: usize) -> (Vec<f64>, f64) {
        let logits = self.logits(y, row);
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = logits.iter().map(|z| (z - top).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let given = logits[self.labels[row] as usize];
        let probabilities = powers.iter().map(|power| power / sum).collect();
        (probabilities, top + sum.ln() - given)
    }

    /// `out += scale · (aᵀ dz; dz)`: what a change of the logits of a row means for y.
    fn add_outer(&self, row: usize, scale: f64, dz: &[f64], out: &mut [f64]) {
        let (weight, bias) = out.split_at_mut(self.columns * self.classes);
        for (&a, weights) in self
            .features(row)
            .iter()
            .zip(weight.chunks_exact_mut(self.classes))
        {
            axpy(scale * a, dz, weights);
        }
        axpy(scale, dz, bias);
    }
}

impl Objective<f64> for SoftmaxLoss {
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

    fn at<'a>(&'a self, x: &'a [f64]) -> bilevel::Result<Box<dyn AtX<f64> + 'a>> {
        Ok(Box::new(SoftmaxAtX {
            loss: self,
            weights: x.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
            collected: vec![0.0; x.len()],
        }))
    }
}

struct SoftmaxAtX<'a> {
    loss: &'a SoftmaxLoss,
    /// σ(x).
    weights: Vec<f64>,
    /// r_bar.
    collected: Vec<f64>,
}

impl SoftmaxAtX<'_> {
    fn rows(&self, draw: Draw) -> Vec<usize> {
        let all = self.loss.labels.len();
        let batch = self.loss.batch.unwrap_or(all);
        match draw.rows(all, batch) {
            Some(rows) => rows.collect(),
            None => (0..all).collect(),
        }
    }

    fn weight(&self, row: usize) -> f64 {
        if self.loss.settings.weighted {
            self.weights[row]
        } else {
            1.0
        }
    }

    /// ∂σ(x)/∂x of a row's weight.
    fn slope(&self, row: usize) -> f64 {
        self.weights[row] * (1.0 - self.weights[row])
    }

    fn collect(&mut self, row: usize, bar: f64) {
        if self.loss.settings.weighted {
            self.collected[row] += bar;
        }
    }
}

impl AtX<f64> for SoftmaxAtX<'_> {
    fn value(&mut self, y: &[f64], draw: Draw) -> bilevel::Result<f64> {
        let rows = self.rows(draw);
        let losses = rows
            .iter()
            .map(|&row| self.weight(row) * self.loss.forward(y, row).1);
        let mean = losses.sum::<f64>() / rows.len() as f64;
        Ok(mean + self.loss.settings.weight_decay * dot(y, y) / 2.0)
    }

    fn grad_y(&mut self, y: &[f64], draw: Draw, out: &mut [f64]) -> bilevel::Result<()> {
        out.fill(0.0);
        let rows = self.rows(draw);
        for &row in &rows {
            let (mut dz, _) = self.loss.forward(y, row);
            dz[self.loss.labels[row] as usize] -= 1.0;
            let scale = self.weight(row) / rows.len() as f64;
            self.loss.add_outer(row, scale, &dz, out);
        }
        axpy(self.loss.settings.weight_decay, y, out);
        Ok(())
    }

    fn grad_x(&mut self, y: &[f64], draw: Draw, scale: f64) -> bilevel::Result<()> {
        let rows = self.rows(draw);
        for &row in &rows {
            let (_, loss) = self.loss.forward(y, row);
            self.collect(row, scale * loss / rows.len() as f64);
        }
        Ok(())
    }

    fn second_order(&mut self) -> Option<&mut dyn SecondOrder<f64>> {
        Some(self)
    }

    fn finish(&mut self, x_bar: &mut [f64]) -> bilevel::Result<()> {
        for (row, bar) in x_bar.iter_mut().enumerate() {
            *bar += self.collected[row] * self.slope(row);
        }
        self.collected.fill(0.0);
        Ok(())
    }
}

impl SecondOrder<f64> for SoftmaxAtX<'_> {
    fn pull(&mut self, y: &[f64], draw: Draw, v: &[f64], y_bar: &mut [f64]) -> bilevel::Result<()> {
        let rows = self.rows(draw);
        let count = rows.len() as f64;
        for &row in &rows {
            let (p, _) = self.loss.forward(y, row);
            let tangent = self.loss.logits(v, row);
            let mean = dot(&p, &tangent);
            self.collect(
                row,
                (mean - tangent[self.loss.labels[row] as usize]) / count,
            );
            let dz: Vec<f64> = p
                .iter()
                .zip(&tangent)
                .map(|(p, t)| p * (t - mean))
                .collect();
            let scale = self.weight(row) / count;
            self.loss.add_outer(row, scale, &dz, y_bar);
        }
        axpy(self.loss.settings.weight_decay, v, y_bar);
        Ok(())
    }

    fn push(
        &mut self,
        y: &[f64],
        draw: Draw,
        dx: &[f64],
        dy: &[f64],
        out: &mut [f64],
    ) -> bilevel::Result<()> {
        // Its part along dy is that of a pull, which must collect nothing here.
        let collected = self.collected.clone();
        self.pull(y, draw, dy, out)?;
        self.collected = collected;
        if !self.loss.settings.weighted {
            return Ok(());
        }
        let rows = self.rows(draw);
        for &row in &rows {
            let (mut dz, _) = self.loss.forward(y, row);
            dz[self.loss.labels[row] as usize] -= 1.0;
            let scale = self.slope(row) * dx[row] / rows.len() as f64;
            self.loss.add_outer(row, scale, &dz, out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bilevel::Key;
    use bilevel::check::{random_direction, second_order_check};
    use bilevel_tasks::data::digits::digits;

    /// The gradients against central differences of the value; the products against those
    /// of the gradients.
    #[test]
    fn derivatives_against_differences() {
        let key = Key::from_seed(5);
        let data = digits().select(&(0..60).collect::<Vec<_>>()).unwrap();
        for (weighted, batch) in [
            (true, None),
            (true, Some(35)),
            (false, None),
            (false, Some(7)),
        ] {
            let settings = LossSettings {
                weighted,
                weight_decay: 0.01,
            };
            let loss = SoftmaxLoss::new(&data, settings, batch, 60);
            let x: Vec<f64> = random_direction(key.fold_in(1), 60);
            let x: Vec<f64> = x.iter().map(|x| 10.0 * x).collect();
            let y: Vec<f64> = random_direction(key.fold_in(2), 650);
            let check = second_order_check(&loss, &x, &y, key, 1e-8).unwrap();
            assert!(check.passed(), "{weighted} {batch:?} {check:?}");

            let draw = Draw::Step { key, step: 3 };
            let dx: Vec<f64> = random_direction(key.fold_in(3), 60);
            let dy: Vec<f64> = random_direction(key.fold_in(4), 650);
            let value = |t: f64| {
                let (mut x, mut y) = (x.clone(), y.clone());
                axpy(t, &dx, &mut x);
                axpy(t, &dy, &mut y);
                loss.at(&x).unwrap().value(&y, draw).unwrap()
            };
            let t = 1e-4;
            let difference = (value(t) - value(-t)) / (2.0 * t);
            let mut handle = loss.at(&x).unwrap();
            let mut y_bar = vec![0.0; 650];
            handle.grad_y(&y, draw, &mut y_bar).unwrap();
            handle.grad_x(&y, draw, 1.0).unwrap();
            let mut x_bar = vec![0.0; 60];
            handle.finish(&mut x_bar).unwrap();
            let slope = dot(&x_bar, &dx) + dot(&y_bar, &dy);
            assert!((slope - difference).abs() < 1e-8, "{weighted} {batch:?}");
            // Each part counts: neither alone gives the slope.
            assert!(!weighted || dot(&x_bar, &dx).abs() > 1e-5);
        }
    }
}
