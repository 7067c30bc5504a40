//! The page `report.html`: a single file without scripts that needs no other file and no network.

mod chart;
mod confusion;
mod picture;
mod suspects;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Facts, annotators, words};
use crate::failure::Failure;
use crate::visible::{LONGEST, short};
use bilevel_tasks::count::count;
pub(crate) use chart::{Series, chart};
pub(crate) use picture::data_uri;

/// What the page may load: nothing, even if text from the data were interpreted as markup.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
/// The style of the page, for any width, light and dark.
pub(crate) const STYLE: &str = include_str!("html/style.css");

/// Pairs of labels that are listed.
const CONFUSED: usize = 8;

/// The page as text.
pub(crate) fn page(facts: &Facts<'_>) -> Result<String, Failure> {
    let suspects = suspects::suspects(facts)?;
    let count = facts.scores.iter().filter(|score| score.suspect).count();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (count) " of " (facts.scores.len()) " labels look wrong" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (found(facts))
                    (next(facts))
                    (annotators::section(facts))
                    (suspects)
                    (comparison(facts))
                    @if !facts.history.is_empty() { (curves(facts)) }
                    (confusion::confusion(facts))
                    (method(facts))
                    (repeat(facts))
                }
            }
        }
    };
    Ok(page.into_string())
}

fn found(facts: &Facts<'_>) -> Markup {
    let found = words::found(facts);
    let (first, rest) = found.split_once('\n').unwrap_or((&found, ""));
    html! {
        header {
            h1 { (first.trim_end_matches('.')) }
            @for alarm in words::alarms(facts) { p.warning { (alarm) } }
            @if !rest.is_empty() { p.lead { (rest) } }
            p { (words::searched(facts)) }
            @if let Some(resume) = facts.resume {
                p.warning { "The run is not finished. To continue it:" }
                pre { (resume) }
            }
            @for line in words::left_out(facts).lines() { p.warning { (line) } }
            @let (warnings, more) = facts.result.input.shown();
            @for warning in warnings { p.warning { "Warning: " (short(&warning.message, 400)) } }
            @for (kind, more) in more { p.warning { "Warning: " (more) " more of this kind, " (kind) ": result.json has all" } }
        }
    }
}

fn next(facts: &Facts<'_>) -> Markup {
    let pairs = words::confused(facts);
    html! {
        section {
            h2 { "What to do next" }
            ul { @for step in words::next(facts) { li { (step) } } }
            @if !pairs.is_empty() {
                h3 { "The labels that are confused most" }
                ul {
                    @for ((given, suggested), rows) in pairs.iter().take(CONFUSED) {
                        li { (short(given, LONGEST)) " should be " strong { (short(suggested, LONGEST)) } ": " (count(*rows, "row")) }
                    }
                }
            }
        }
    }
}

fn comparison(facts: &Facts<'_>) -> Markup {
    let rows = words::comparison(facts);
    html! {
        section {
            h2 { "Compared with simple baselines" }
            p { "Same rows, same model." }
            div.scroll {
                table {
                    @for (number, row) in rows.iter().enumerate() {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                @if number == 0 { th scope="col" { (cell) } }
                                @else if column == 0 { th scope="row" { (cell) } }
                                @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
            ul { @for sentence in words::winners(facts) { li { (sentence) } } }
            dl.legend {
                @for (name, meaning) in words::legend(facts) { div { dt { (name) } dd { (meaning) } } }
            }
        }
    }
}

fn curves(facts: &Facts<'_>) -> Markup {
    let series = |name, figure: fn(&super::HistoryPoint) -> Option<f64>| Series {
        name,
        points: facts
            .history
            .iter()
            .filter_map(|point| Some((point.step as f64, figure(point)?)))
            .collect(),
    };
    let loss = [
        series("f, on the trusted rows used for learning", |point| {
            Some(point.f)
        }),
        series("loss on the held-out trusted rows", |point| {
            point.held_out_loss
        }),
    ];
    let known = [
        series("F1", |point| point.f1),
        series("AUC", |point| point.auc),
    ];
    let kept = facts.kept_step as f64;
    html! {
        section {
            h2 { "Progress" }
            div.charts {
                (chart("Loss", &loss, kept))
                (chart("Wrong labels found", &known, kept))
            }
            p.note { "Horizontal axis: outer steps. The vertical line marks the step that was kept, " (facts.kept_step) "." }
        }
    }
}

fn method(facts: &Facts<'_>) -> Markup {
    html! {
        section {
            h2 { "Method" }
            p { (words::how(facts)) }
            @if facts.result.gradient_check.passed != Some(false) { p { (words::gradient_check(facts)) } }
        }
    }
}

fn repeat(facts: &Facts<'_>) -> Markup {
    html! {
        section {
            h2 { "How to repeat this run" }
            pre { (facts.repeat) }
            p { "All rows are in " code { "scores.csv" } ", all figures in " code { "result.json" } " and "
                code { "history.jsonl" } ", in the same folder." }
            details {
                summary { "All settings" }
                pre { (facts.config) }
            }
            p.note { "bilevel " (env!("CARGO_PKG_VERSION")) }
        }
    }
}
