//! Problems whose hypergradient is known in closed form.
#![allow(clippy::needless_range_loop)]

use std::sync::{Arc, Mutex};

use bilevel::{Closures, Draw, FixedStart, Problem, Scalar};

/// g = yᵀ A y / 2 − yᵀ (B x + c), f = ‖y − d‖²/2 + ‖x‖²/4 + x₀ y₀/3, with n = 2.
pub(crate) struct Quadratic {
    pub(crate) a: Vec<Vec<f64>>,
}

fn b(i: usize, j: usize) -> f64 {
    (1.1 * i as f64 - 0.7 * j as f64 + 0.5).cos()
}

fn c(i: usize) -> f64 {
    0.3 * (i as f64 + 1.0)
}

fn d(i: usize) -> f64 {
    1.0 - 0.5 * i as f64
}

impl Quadratic {
    /// A = tridiagonal, its eigenvalues between about 1 and 3.
    pub(crate) fn definite(m: usize) -> Self {
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 2.0 + 0.2 * i as f64 / m as f64,
            1 => -0.5,
            _ => 0.0,
        };
        Self {
            a: (0..m)
                .map(|i| (0..m).map(|j| entry(i, j)).collect())
                .collect(),
        }
    }

    pub(crate) fn diagonal(diagonal: &[f64]) -> Self {
        let entry = |i: usize, j: usize| if i == j { diagonal[i] } else { 0.0 };
        let m = diagonal.len();
        Self {
            a: (0..m)
                .map(|i| (0..m).map(|j| entry(i, j)).collect())
                .collect(),
        }
    }

    fn times<T: Scalar>(a: &[Vec<f64>], i: usize, y: &[T]) -> T {
        a[i].iter().zip(y).map(|(&a, &y)| T::from_f64(a) * y).sum()
    }

    fn rhs<T: Scalar>(i: usize, x: &[T]) -> T {
        T::from_f64(b(i, 0)) * x[0] + T::from_f64(b(i, 1)) * x[1]
    }

    pub(crate) fn inner<T: Scalar>(&self) -> Closures<T> {
        let m = self.a.len();
        let [a1, a2, a3, a4] = [0; 4].map(|_| self.a.clone());
        Closures::new(
            2,
            m,
            move |x: &[T], y: &[T], _| {
                let half = T::from_f64(0.5);
                (0..m)
                    .map(|i| {
                        y[i] * (half * Self::times(&a1, i, y) - Self::rhs(i, x) - T::from_f64(c(i)))
                    })
                    .sum()
            },
            move |x, y, _, out| {
                for i in 0..m {
                    out[i] += Self::times(&a2, i, y) - Self::rhs(i, x) - T::from_f64(c(i));
                }
            },
        )
        .with_grad_x(move |_, y, _, out| {
            for i in 0..m {
                for (j, out) in out.iter_mut().enumerate() {
                    *out -= T::from_f64(b(i, j)) * y[i];
                }
            }
        })
        .with_second_order(
            move |_, _, _, v, y_bar, x_bar| {
                for i in 0..m {
                    y_bar[i] += Self::times(&a3, i, v);
                    for (j, x_bar) in x_bar.iter_mut().enumerate() {
                        *x_bar -= T::from_f64(b(i, j)) * v[i];
                    }
                }
            },
            move |_, _, _, dx, dy, out| {
                for i in 0..m {
                    out[i] += Self::times(&a4, i, dy) - Self::rhs(i, dx);
                }
            },
        )
    }

    pub(crate) fn outer<T: Scalar>(&self) -> Closures<T> {
        let m = self.a.len();
        let third = T::from_f64(1.0 / 3.0);
        let half = T::from_f64(0.5);
        Closures::new(
            2,
            m,
            move |x: &[T], y: &[T], _| {
                let far: T = (0..m).map(|i| (y[i] - T::from_f64(d(i))).powi(2)).sum();
                let size = x[0] * x[0] + x[1] * x[1];
                half * far + half * half * size + third * x[0] * y[0]
            },
            move |x, y, _, out| {
                for i in 0..m {
                    out[i] += y[i] - T::from_f64(d(i));
                }
                out[0] += third * x[0];
            },
        )
        .with_grad_x(move |x, y, _, out| {
            out[0] += half * x[0] + third * y[0];
            out[1] += half * x[1];
        })
        .with_second_order(
            move |_, _, _, v, y_bar, x_bar| {
                for (bar, &v) in y_bar.iter_mut().zip(v) {
                    *bar += v;
                }
                x_bar[0] += third * v[0];
            },
            move |_, _, _, dx, dy, out| {
                for (out, &dy) in out.iter_mut().zip(dy) {
                    *out += dy;
                }
                out[0] += third * dx[0];
            },
        )
    }

    pub(crate) fn problem<T: Scalar>(&self) -> Problem<T> {
        let start = FixedStart(vec![T::zero(); self.a.len()]);
        Problem::new(self.inner(), self.outer(), start).unwrap()
    }

    /// y* = A⁻¹ (B x + c).
    pub(crate) fn solution(&self, x: &[f64]) -> Vec<f64> {
        let rhs = (0..self.a.len()).map(|i| Self::rhs(i, x) + c(i)).collect();
        solve(&self.a, rhs)
    }

    /// x/2 + y₀ e₀/3 + Bᵀ A⁻¹ (y* − d + x₀ e₀/3).
    pub(crate) fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let y = self.solution(x);
        let mut seed: Vec<f64> = y.iter().enumerate().map(|(i, y)| y - d(i)).collect();
        seed[0] += x[0] / 3.0;
        let q = solve(&self.a, seed);
        (0..2)
            .map(|j| {
                let through: f64 = q.iter().enumerate().map(|(i, q)| b(i, j) * q).sum();
                let coupled = if j == 0 { y[0] / 3.0 } else { 0.0 };
                x[j] / 2.0 + coupled + through
            })
            .collect()
    }

    /// Where that is zero: it is affine in x.
    pub(crate) fn optimum(&self) -> Vec<f64> {
        let at_zero = self.gradient(&[0.0, 0.0]);
        let column = |j: usize| {
            let mut x = [0.0; 2];
            x[j] = 1.0;
            let moved = self.gradient(&x);
            [moved[0] - at_zero[0], moved[1] - at_zero[1]]
        };
        let (first, second) = (column(0), column(1));
        solve(
            &[vec![first[0], second[0]], vec![first[1], second[1]]],
            vec![-at_zero[0], -at_zero[1]],
        )
    }
}

/// g = mean (z·y − t)²/2 + Σ_j e^{x_j} y_j²/2 over the rows of a batch; f = mean (z·y − t)²/2
/// over other rows. One penalty for each of three features.
#[derive(Clone)]
pub(crate) struct Ridge {
    pub(crate) rows: usize,
    pub(crate) batch: usize,
    /// Every draw that a push or a pull of g saw.
    pub(crate) products: Arc<Mutex<Vec<Draw>>>,
}

impl Ridge {
    pub(crate) fn new(rows: usize, batch: usize) -> Self {
        Self {
            rows,
            batch,
            products: Arc::default(),
        }
    }

    fn input(kind: usize, i: usize) -> [f64; 3] {
        let wave = |j: usize| (1.7 * i as f64 + 2.3 * j as f64 + 4.1 * kind as f64).sin();
        [wave(0), wave(1), wave(2)]
    }

    fn target(kind: usize, i: usize) -> f64 {
        let [a, b, c] = Self::input(kind, i);
        1.5 * a - 0.5 * b + 0.2 * c + 0.4 * (5.3 * i as f64 + kind as f64).cos()
    }

    fn each(&self, draw: Draw) -> Vec<usize> {
        draw.rows(self.rows, self.batch)
            .map_or_else(|| (0..self.rows).collect(), Iterator::collect)
    }

    /// `out += Σ_i z_i (z_i · y − shift t_i) / size`.
    fn normal<T: Scalar>(&self, kind: usize, draw: Draw, y: &[T], shift: f64, out: &mut [T]) {
        let rows = self.each(draw);
        let size = T::from_f64(rows.len() as f64);
        for i in rows {
            let z = Self::input(kind, i).map(T::from_f64);
            let along = z[0] * y[0] + z[1] * y[1] + z[2] * y[2];
            let r = (along - T::from_f64(shift * Self::target(kind, i))) / size;
            for (out, z) in out.iter_mut().zip(z) {
                *out += r * z;
            }
        }
    }

    fn loss<T: Scalar>(&self, kind: usize, draw: Draw, y: &[T]) -> T {
        let rows = self.each(draw);
        let size = rows.len() as f64;
        let sum: f64 = rows
            .into_iter()
            .map(|i| {
                let z = Self::input(kind, i);
                let along: f64 = z.iter().zip(y).map(|(z, y)| z * y.to_double()).sum();
                (along - Self::target(kind, i)).powi(2) / 2.0
            })
            .sum();
        T::from_f64(sum / size)
    }

    pub(crate) fn problem<T: Scalar>(&self) -> Problem<T> {
        let [d1, d2, d3, d4, d5, d6] = [0; 6].map(|_| self.clone());
        let half = T::from_f64(0.5);
        let inner = Closures::<T>::new(
            3,
            3,
            move |x, y, draw| {
                let penalty: T = x.iter().zip(y).map(|(x, &y)| x.exp() * y * y).sum();
                d1.loss(0, draw, y) + half * penalty
            },
            move |x, y, draw, out| {
                d2.normal(0, draw, y, 1.0, out);
                for j in 0..3 {
                    out[j] += x[j].exp() * y[j];
                }
            },
        )
        .with_grad_x(move |x, y, _, out| {
            for j in 0..3 {
                out[j] += half * x[j].exp() * y[j] * y[j];
            }
        })
        .with_second_order(
            move |x, y, draw, v, y_bar, x_bar| {
                d3.products.lock().unwrap().push(draw);
                d3.normal(0, draw, v, 0.0, y_bar);
                for j in 0..3 {
                    y_bar[j] += x[j].exp() * v[j];
                    x_bar[j] += x[j].exp() * y[j] * v[j];
                }
            },
            move |x, y, draw, dx, dy, out| {
                d4.products.lock().unwrap().push(draw);
                d4.normal(0, draw, dy, 0.0, out);
                for j in 0..3 {
                    out[j] += x[j].exp() * (dy[j] + y[j] * dx[j]);
                }
            },
        );
        let outer = Closures::<T>::new(
            3,
            3,
            move |_, y, draw| d5.loss(1, draw, y),
            move |_, y, draw, out| d6.normal(1, draw, y, 1.0, out),
        );
        Problem::new(inner, outer, FixedStart(vec![T::zero(); 3])).unwrap()
    }

    fn hessian(&self, x: &[f64]) -> Vec<Vec<f64>> {
        (0..3)
            .map(|j| {
                let mut unit = [0.0; 3];
                unit[j] = 1.0;
                let mut column = vec![0.0; 3];
                self.normal(0, Draw::All, &unit, 0.0, &mut column);
                column[j] += x[j].exp();
                column
            })
            .collect()
    }

    pub(crate) fn solution(&self, x: &[f64]) -> Vec<f64> {
        let mut minus = vec![0.0; 3];
        self.normal(0, Draw::All, &[0.0; 3], 1.0, &mut minus);
        solve(&self.hessian(x), minus.iter().map(|m| -m).collect())
    }

    /// −e^{x_j} y*_j q_j, H q = ∇_y f(y*).
    pub(crate) fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let y = self.solution(x);
        let mut seed = vec![0.0; 3];
        self.normal(1, Draw::All, &y, 1.0, &mut seed);
        let q = solve(&self.hessian(x), seed);
        (0..3).map(|j| -x[j].exp() * y[j] * q[j]).collect()
    }

    /// f(x, y*(x)).
    pub(crate) fn value(&self, x: &[f64]) -> f64 {
        self.loss(1, Draw::All, &self.solution(x))
    }
}

/// Gaussian elimination with pivots.
pub(crate) fn solve(a: &[Vec<f64>], mut b: Vec<f64>) -> Vec<f64> {
    let mut a = a.to_vec();
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n)
            .max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs()))
            .unwrap();
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in k + 1..n {
            let factor = a[i][k] / a[k][k];
            for j in k..n {
                a[i][j] -= factor * a[k][j];
            }
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| a[k][j] * b[j]).sum();
        b[k] = (b[k] - known) / a[k][k];
    }
    b
}
