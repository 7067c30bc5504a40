//! Given labels against suggested ones.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::report::Facts;
use crate::visible::{LONGEST, short};
use bilevel_tasks::count::count;

/// Up to this many classes are shown as a table; for more, the most frequent pairs are listed.
const LARGEST: usize = 20;
/// The number of pairs in that list.
const LISTED: usize = 20;

/// How often each pair of given and suggested label occurs.
pub(super) fn confusion(facts: &Facts<'_>) -> Markup {
    let mut pairs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for score in facts.scores {
        *pairs.entry((&score.given, &score.suggested)).or_default() += 1;
    }
    let names = facts.data.train().class_names();
    html! {
        section {
            h2 { "Given against suggested labels" }
            @if names.len() <= LARGEST { (table(names, &pairs)) } @else { (list(&pairs)) }
        }
    }
}

fn table(names: &[String], pairs: &BTreeMap<(&str, &str), usize>) -> Markup {
    let of = |given: &str, suggested: &str| pairs.get(&(given, suggested)).copied().unwrap_or(0);
    let apart = pairs
        .iter()
        .filter(|((given, suggested), _)| given != suggested);
    let most = apart.map(|(_, &rows)| rows).max().unwrap_or(0).max(1);
    html! {
        p { "Number of rows for each pair of labels. Columns: suggested label. Rows: given label. Stronger colour: more rows." }
        div.scroll {
            table.confusion {
                tr {
                    th.corner { "given ↓ suggested →" }
                    @for name in names { th scope="col" { (short(name, LONGEST)) } }
                }
                @for given in names {
                    tr {
                        th scope="row" { (short(given, LONGEST)) }
                        @for suggested in names {
                            @let rows = of(given, suggested);
                            @if given == suggested {
                                td.same { (rows) }
                            } @else if rows == 0 {
                                td.none { "·" }
                            } @else {
                                td style=(format!("--share:{:.0}%", 70.0 * rows as f64 / most as f64)) { (rows) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn list(pairs: &BTreeMap<(&str, &str), usize>) -> Markup {
    let mut apart: Vec<_> = pairs
        .iter()
        .filter(|((given, suggested), _)| given != suggested)
        .collect();
    apart.sort_by_key(|&(_, &rows)| std::cmp::Reverse(rows));
    html! {
        p { (count(apart.len(), "pair")) " of different labels. The most frequent ones:" }
        div.scroll {
            table {
                tr { th scope="col" { "given" } th scope="col" { "suggested" } th scope="col" { "rows" } }
                @for ((given, suggested), rows) in apart.into_iter().take(LISTED) {
                    tr { td { (short(given, LONGEST)) } td { (short(suggested, LONGEST)) } td { (rows) } }
                }
            }
        }
    }
}
