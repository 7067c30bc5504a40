//! Who gave the labels that are suspected.

use bilevel_tasks::cleaning::AnnotatorRow;
use maud::{Markup, html};

use super::Facts;
use crate::visible::{LONGEST, LONGEST_CELL, short};
use bilevel_tasks::count::count;

/// Annotators in the text, and in the page.
const NAMED: usize = 3;
const LISTED: usize = 30;

fn percent(row: &AnnotatorRow) -> f64 {
    100.0 * row.suspects as f64 / row.rows.max(1) as f64
}

fn name(row: &AnnotatorRow, longest: usize) -> String {
    match row.annotator.as_str() {
        "" => "(no name)".to_owned(),
        name => short(name, longest),
    }
}

/// The most often suspected, in a sentence; nothing if annotators are not known, or nothing is suspected.
pub(super) fn sentence(facts: &Facts<'_>) -> String {
    let annotators = &facts.result.annotators;
    let suspected = annotators.iter().filter(|row| row.suspects > 0);
    let named: Vec<String> = suspected
        .take(NAMED)
        .map(|row| {
            let (name, rows) = (name(row, LONGEST_CELL), count(row.rows, "row"));
            format!("{name} in {:.0} % of {rows}", percent(row))
        })
        .collect();
    if named.is_empty() {
        return String::new();
    }
    format!(
        "Most often suspected of {}: {}.\n",
        count(annotators.len(), "annotator"),
        named.join(", ")
    )
}

/// The list of them.
pub(super) fn section(facts: &Facts<'_>) -> Markup {
    let annotators = &facts.result.annotators;
    html! {
        @if !annotators.is_empty() {
            section {
                h2 { "Annotators" }
                p { "By how many of their labels are suspected, the highest share first; few rows count for less." }
                div.scroll {
                    table {
                        tr { th scope="col" { "annotator" } th scope="col" { "rows" } th scope="col" { "suspects" } th scope="col" { "share" } }
                        @for row in annotators.iter().take(LISTED) {
                            tr {
                                th scope="row" { (name(row, LONGEST)) }
                                td { (row.rows) } td { (row.suspects) } td { (format!("{:.1} %", percent(row))) }
                            }
                        }
                    }
                }
                @if annotators.len() > LISTED { p.note { "The others are in " code { "result.json" } "." } }
            }
        }
    }
}
