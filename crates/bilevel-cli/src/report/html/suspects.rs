//! The most suspect rows, shown as images or cells.

use bilevel_tasks::cleaning::Score;
use bilevel_tasks::data::preparation::ColumnScale;
use maud::{Markup, html};

use super::picture;
use crate::failure::Failure;
use crate::report::{Facts, words};
use crate::visible::{LONGEST, short};
use bilevel_tasks::count::count;

/// How many rows are shown.
const SHOWN: usize = 24;
/// How many cells of a row are shown.
const CELLS: usize = 12;

pub(super) fn suspects(facts: &Facts<'_>) -> Result<Markup, Failure> {
    let suspects = facts.scores.iter().filter(|score| score.suspect);
    let cards = suspects
        .take(SHOWN)
        .map(|score| card(facts, score))
        .collect::<Result<Vec<_>, _>>()?;
    let columns = facts.data.train().columns();
    Ok(html! {
        section {
            h2 { "The most suspect rows" }
            @if cards.is_empty() {
                p { "No label is suspected." }
            } @else {
                p {
                    "The smallest weight comes first." (words::suggestions(facts))
                    @if facts.scaling.is_some() && columns > CELLS {
                        " Each row shows the " (CELLS) " of " (count(columns, "column")) " in which it is farthest from the mean."
                    }
                }
                div.cards { @for card in cards { (card) } }
            }
        }
    })
}

fn card(facts: &Facts<'_>, score: &Score) -> Result<Markup, Failure> {
    let train = facts.data.train();
    let features = train.row(score.position);
    let picture_shape = train.image_shape();
    let picture = match picture_shape {
        Some(shape) => {
            let pixels: Vec<f32> = match facts.scaling {
                None => features.to_vec(),
                Some(scaling) => (0..scaling.len().min(features.len()))
                    .map(|column| original(features[column], &scaling[column]) as f32)
                    .collect(),
            };
            Some(picture::data_uri(&pixels, shape)?)
        }
        None => None,
    };
    let truth = facts.data.true_labels();
    let truth = truth.map(|truth| train.class_names()[truth[score.position] as usize].as_str());
    Ok(html! {
        article {
            @if let Some(picture) = picture {
                img src=(picture) alt={ "row " (score.row) };
            }
            div {
                p.labels {
                    @if score.given == score.suggested {
                        strong { (short(&score.given, LONGEST)) }
                    } @else {
                        span.given { (short(&score.given, LONGEST)) } " → "
                        strong { (short(&score.suggested, LONGEST)) }
                    }
                    " " span.note { (format!("{:.0} %", 100.0 * score.p_suggested)) }
                    @if score.given == score.suggested { span.note { ", given and suggested" } }
                }
                @if let Some(truth) = truth {
                    p.note {
                        @if truth == score.given { "correctly labelled " } @else { "true label: " }
                        (short(truth, LONGEST))
                    }
                }
                @if let Some(id) = &score.id { p.note { (short(id, LONGEST)) } }
                p.note { "rank " (score.rank) ", row " (score.row) ", weight " (format!("{:.3}", score.weight)) }
            }
            @if let Some(scaling) = facts.scaling.filter(|_| picture_shape.is_none()) {
                dl.cells {
                    @for (name, value, mean) in cells(&features, scaling) {
                        div { dt { (short(name, LONGEST)) } dd { (value) " " span.note { "mean " (mean) } } }
                    }
                }
            }
        }
    })
}

/// The cells of a row before standardisation, in the order of the table: all of them, or the ones
/// farthest from the means of their columns; with these means.
fn cells<'a>(features: &[f32], scaling: &'a [ColumnScale]) -> Vec<(&'a str, String, String)> {
    let mut columns: Vec<usize> = (0..scaling.len().min(features.len())).collect();
    columns.sort_by(|&a, &b| features[b].abs().total_cmp(&features[a].abs()));
    columns.truncate(CELLS);
    columns.sort_unstable();
    columns
        .into_iter()
        .map(|column| {
            let scale = &scaling[column];
            let value = original(features[column], scale);
            let mean = number(scale.mean, scale.scale);
            (scale.name.as_str(), number(value, scale.scale), mean)
        })
        .collect()
}

/// A feature before standardisation.
fn original(feature: f32, scale: &ColumnScale) -> f64 {
    f64::from(feature) * scale.scale + scale.mean
}

/// Enough digits to distinguish values of this spread, without trailing zeros.
fn number(value: f64, scale: f64) -> String {
    let decimals = (4.0 - scale.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaling(columns: usize) -> Vec<ColumnScale> {
        (0..columns)
            .map(|column| ColumnScale {
                name: format!("c{column}"),
                mean: 10.0 * column as f64,
                scale: 2.0,
                constant: false,
                rounding: false,
                missing: 0.0,
            })
            .collect()
    }

    #[test]
    fn cells_are_those_of_the_table() {
        let scaling = scaling(3);
        let found = cells(&[0.5, -1.0, 0.1], &scaling);
        let expected = [("c0", "1", "0"), ("c1", "8", "10"), ("c2", "20.2", "20")];
        assert_eq!(
            found,
            expected.map(|(name, value, mean)| (name, value.to_owned(), mean.to_owned()))
        );
    }

    #[test]
    fn of_many_cells_the_farthest_from_the_mean_are_shown() {
        let mut features = vec![0.0; 30];
        features[10..22].fill(1.0);
        features[15] = -1.0;
        let scaling = scaling(30);
        let found = cells(&features, &scaling);
        let names: Vec<_> = found.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let expected: Vec<_> = (10..22).map(|column| format!("c{column}")).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn numbers_without_needless_digits() {
        for (value, scale, text) in [
            (1_000.000_001, 500.0, "1000"),
            (-0.000_000_1, 1.0, "0"),
            (0.000_123_4, 1e-4, "0.0001234"),
            (1234.5, 1.0, "1234.5"),
            (7e9, 1e9, "7000000000"),
        ] {
            assert_eq!(number(value, scale), text);
        }
    }
}
