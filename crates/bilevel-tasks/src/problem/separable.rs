//! Objectives that are sums over the components of y.

use bilevel::Closures;

/// Value and derivatives of a function of two variables.
#[derive(Clone, Copy, Default)]
pub(super) struct Jet {
    pub(super) value: f64,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) xy: f64,
    pub(super) yy: f64,
}

/// h(x, y) = Σ_j h_j(x_{j mod n}, y_j), where `jet(j, x_{j mod n}, y_j)` returns h_j and its
/// derivatives, with 0 for x if n = 0. h depends on x only if `x_enters`. The tape keeps the two
/// second derivatives of each h_j.
pub(super) fn separable(
    n: usize,
    m: usize,
    x_enters: bool,
    jet: impl Fn(usize, f64, f64) -> Jet + Copy + Send + Sync + 'static,
) -> Closures<f64> {
    // (j mod n, j, jet) for all j.
    let jets = move |x: &[f64], y: &[f64]| -> Vec<(usize, usize, Jet)> {
        y.iter()
            .enumerate()
            .map(|(j, &y)| {
                let i = j.checked_rem(n).unwrap_or(0);
                (i, j, jet(j, x.get(i).copied().unwrap_or(0.0), y))
            })
            .collect()
    };
    let objective = Closures::new(
        n,
        m,
        move |x: &[f64], y: &[f64], _| jets(x, y).iter().map(|(_, _, jet)| jet.value).sum(),
        move |x, y, _, out| {
            for (_, j, jet) in jets(x, y) {
                out[j] += jet.y;
            }
        },
    )
    .with_second_order(
        move |x, y, _, v, y_bar, x_bar| {
            for (i, j, jet) in jets(x, y) {
                y_bar[j] += jet.yy * v[j];
                if x_enters {
                    x_bar[i] += jet.xy * v[j];
                }
            }
        },
        move |x, y, _, dx, dy, out| {
            for (i, j, jet) in jets(x, y) {
                out[j] += jet.yy * dy[j];
                if x_enters {
                    out[j] += jet.xy * dx[i];
                }
            }
        },
    )
    .with_tape(
        move |_| 2 * m,
        move |x, y, _, out, tape| {
            let (pairs, _) = tape.as_chunks_mut();
            for ((_, j, jet), pair) in jets(x, y).into_iter().zip(pairs) {
                out[j] += jet.y;
                *pair = [jet.yy, jet.xy];
            }
        },
        move |_, _, _, tape, v, y_bar, x_bar| {
            let (pairs, _) = tape.as_chunks();
            for (j, &[yy, xy]) in pairs.iter().enumerate() {
                y_bar[j] += yy * v[j];
                if x_enters {
                    x_bar[j % n] += xy * v[j];
                }
            }
        },
    );
    if !x_enters {
        return objective;
    }
    objective.with_grad_x(move |x, y, _, out| {
        for (i, _, jet) in jets(x, y) {
            out[i] += jet.x;
        }
    })
}
