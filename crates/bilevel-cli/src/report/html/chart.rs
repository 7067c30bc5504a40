//! Curves.

use maud::{Markup, html};

/// A curve.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 24.0;
/// The number of points of a curve that can be distinguished.
const POINTS: usize = 400;

/// The curves that have points, in one chart, with a vertical line at `mark`; nothing if no curve
/// has points.
pub(crate) fn chart(title: &str, series: &[Series], mark: f64) -> Markup {
    let series: Vec<_> = series.iter().filter(|one| !one.points.is_empty()).collect();
    let points = || series.iter().flat_map(|one| &one.points);
    if series.is_empty() {
        return html! {};
    }
    let right = points().map(|point| point.0).fold(1.0, f64::max);
    let (low, high) = range(points().map(|point| point.1));
    let across = |x: f64| LEFT + (WIDTH - LEFT - RIGHT) * x / right;
    let up = |y: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ((y - low) / (high - low));
    let (y_ticks, x_ticks) = (ticks(low, high), ticks(0.0, right));
    html! {
        figure {
            figcaption {
                strong { (title) }
                @for (number, one) in series.iter().enumerate() {
                    span.key {
                        svg.line viewBox="0 0 24 8" aria-hidden="true" {
                            line.{ "s" (number) } x1="0" y1="4" x2="24" y2="4" {}
                        }
                        (one.name)
                    }
                }
            }
            svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
                @for tick in &y_ticks.0 {
                    line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(place(up(*tick))) y2=(place(up(*tick))) {}
                    text x=(LEFT - 5.0) y=(place(up(*tick) + 4.0)) text-anchor="end" { (label(*tick, y_ticks.1)) }
                }
                @for tick in x_ticks.0.iter().filter(|tick| tick.fract() == 0.0) {
                    text x=(place(across(*tick))) y=(HEIGHT - 6.0) text-anchor="middle" { (label(*tick, 1.0)) }
                }
                line.mark x1=(place(across(mark))) x2=(place(across(mark))) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                @for (number, one) in series.iter().enumerate() {
                    @if let [point] = one.points[..] {
                        circle.{ "s" (number) } cx=(place(across(point.0))) cy=(place(up(point.1))) r="3" {}
                    } @else {
                        polyline.{ "s" (number) } points=(path(&one.points, across, up)) {}
                    }
                }
            }
        }
    }
}

/// The coordinates of a curve; of many points only some, always including the last.
fn path(points: &[(f64, f64)], across: impl Fn(f64) -> f64, up: impl Fn(f64) -> f64) -> String {
    let stride = points.len().div_ceil(POINTS);
    let last = points.len() - 1;
    let places: Vec<String> = points
        .iter()
        .enumerate()
        .filter(|(number, _)| number.is_multiple_of(stride) || *number == last)
        .map(|(_, &(x, y))| format!("{},{}", place(across(x)), place(up(y))))
        .collect();
    places.join(" ")
}

fn place(value: f64) -> String {
    format!("{value:.1}")
}

/// The range from the least to the largest value, never empty.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let spread = high - low;
    let least = 1e-6 * high.abs().max(1e-6);
    let margin = if spread > least { 0.04 * spread } else { least };
    (low - margin, high + margin)
}

/// About four round numbers between `low` and `high`, and their distance.
fn ticks(low: f64, high: f64) -> (Vec<f64>, f64) {
    let rough = (high - low) / 4.0;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    let ticks = (first..=last.min(first + 9)).map(|number| number as f64 * step);
    (ticks.collect(), step)
}

/// A number with enough digits to distinguish it from its neighbours.
fn label(value: f64, step: f64) -> String {
    if value != 0.0 && (value.abs() >= 1e5 || step < 1e-4) {
        return format!("{value:.1e}");
    }
    let decimals = (-step.log10()).ceil().max(0.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let labels = |low, high| {
            let (ticks, step) = ticks(low, high);
            ticks
                .iter()
                .map(|tick| label(*tick, step))
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 60.0), ["0", "20", "40", "60"]);
        assert_eq!(labels(0.0, 1.0), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.31, 0.42), ["0.35", "0.40"]);
        assert_eq!(labels(-1.0, 1.0), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.0, 4e7), ["0", "1.0e7", "2.0e7", "3.0e7", "4.0e7"]);
    }

    #[test]
    fn curves_stay_inside_and_end_at_their_last_point() {
        let points: Vec<(f64, f64)> = (0..=1000).map(|i| (f64::from(i), 0.0)).collect();
        let drawn = path(&points, |x| x, |y| y);
        assert_eq!(drawn.split(' ').count(), 335);
        assert!(drawn.starts_with("0.0,0.0 3.0,") && drawn.ends_with(" 1000.0,0.0"));
        // A constant curve has a range, too.
        let (low, high) = range([5.0, 5.0].into_iter());
        assert!(low < 5.0 && high > 5.0);
        let (low, high) = range([0.0].into_iter());
        assert!(low < 0.0 && high > 0.0);
    }
}
