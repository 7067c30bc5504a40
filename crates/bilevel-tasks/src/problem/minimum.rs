//! The minimum of a function of one variable on an interval.

/// Number of grid intervals.
const GRID: usize = 140;

/// The minimiser of `value` on [lower, upper]: the best point of a grid, refined by bisection of
/// the derivative `slope` to the last bits. Exact up to rounding, unless the function has a
/// narrower, deeper valley between two neighbouring grid points.
pub(super) fn minimum(
    lower: f64,
    upper: f64,
    value: impl Fn(f64) -> f64,
    slope: impl Fn(f64) -> f64,
) -> f64 {
    let at = |i: usize| lower + (upper - lower) * i as f64 / GRID as f64;
    let best = (0..=GRID)
        .min_by(|&i, &j| value(at(i)).total_cmp(&value(at(j))))
        .unwrap_or(0);
    let (mut low, mut high) = (at(best.saturating_sub(1)), at((best + 1).min(GRID)));
    if slope(low) >= 0.0 {
        return low;
    }
    if slope(high) <= 0.0 {
        return high;
    }
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_and_at_the_ends() {
        let middle = minimum(-1.0, 5.0, |x| (x - 0.7).powi(2), |x| x - 0.7);
        assert!((middle - 0.7).abs() < 1e-15);
        assert_eq!(minimum(1.0, 5.0, |x| x, |_| 1.0), 1.0);
        assert_eq!(minimum(1.0, 5.0, |x| -x, |_| -1.0), 5.0);
    }
}
