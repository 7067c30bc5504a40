//! The text on the terminal: what was found, how sure that is, and what to do next. The rest is in the page.

use std::path::PathBuf;

use bilevel_tasks::count::{are, count};

use super::Facts;
use super::{annotators, words};
use crate::table::{cells, table};
use crate::visible::{LONGEST_CELL, short};

/// How many of the most suspect rows are shown.
const SHOWN: usize = 5;

/// The report, with a final newline; `cleaned` are the files of cleaned rows.
pub(crate) fn report(facts: &Facts<'_>, cleaned: &[PathBuf]) -> String {
    let mut parts = words::alarms(facts);
    parts.push(words::searched(facts));
    parts.push(words::found(facts) + &annotators::sentence(facts));
    if !facts.scores.is_empty() {
        parts.push(most_suspect(facts));
    }
    if words::is_judged(facts) {
        parts.push(comparison(facts));
    } else if facts.result.expected.is_none() {
        parts.push(format!("{}\n", words::winners(facts).join("\n")));
    }
    let check = match words::gradient_check(facts) {
        // Where detectors judge, it is about what stands beside them.
        check if facts.result.chosen.is_none() && !check.is_empty() => format!("{check}\n"),
        _ => String::new(),
    };
    parts.push(format!(
        "{}{check}{}",
        words::judged_by(facts),
        words::left_out(facts)
    ));
    parts.push(next(facts, cleaned));
    let mut text = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(part);
    }
    text
}

fn most_suspect(facts: &Facts<'_>) -> String {
    let truth = facts.data.true_labels();
    let names = facts.data.train().class_names();
    let mut rows = vec![cells([
        "row",
        "weight",
        "given",
        "suggested",
        "probability",
    ])];
    if truth.is_some() {
        rows[0].push("truth".to_owned());
    }
    let named = facts.scores.iter().any(|score| score.id.is_some());
    if named {
        rows[0].push("id".to_owned());
    }
    for score in facts.scores.iter().take(SHOWN) {
        let mut row = vec![
            score.row.to_string(),
            format!("{:.3}", score.weight),
            short(&score.given, LONGEST_CELL),
            format!("-> {}", short(&score.suggested, LONGEST_CELL)),
            format!("{:.3}", score.p_suggested),
        ];
        if let Some(truth) = truth {
            let truth = &names[truth[score.position] as usize];
            row.push(short(truth, LONGEST_CELL));
        }
        row.extend(score.id.as_ref().map(|id| short(id, LONGEST_CELL)));
        rows.push(row);
    }
    let wrong = facts.data.wrong().map_or(String::new(), |wrong| {
        let shown = facts.scores.iter().take(SHOWN);
        let right = shown.filter(|score| wrong[score.position]).count();
        format!(
            "{right} of these {} {} in fact wrong.\n",
            count(rows.len() - 1, "label"),
            are(right)
        )
    });
    format!("The most suspect:\n{}{wrong}", table(&rows))
}

fn comparison(facts: &Facts<'_>) -> String {
    let lost: Vec<String> = words::winners(facts)
        .into_iter()
        .filter(|sentence| sentence.contains("WINS") || sentence.contains("no need"))
        .map(|sentence| format!("{sentence}\n"))
        .collect();
    format!(
        "Compared on the same rows with the same model:\n{}{}",
        table(&words::comparison(facts)),
        lost.concat()
    )
}

fn next(facts: &Facts<'_>, cleaned: &[PathBuf]) -> String {
    let folder = facts.folder.display();
    let mut text = String::from("Next:\n");
    for step in words::next(facts) {
        text.push_str(&format!("  {step}\n"));
    }
    for file in cleaned {
        text.push_str(&format!("  cleaned rows: {}\n", file.display()));
    }
    if let Some(command) = facts.resume {
        text.push_str(&format!(
            "The run is not finished. To continue it: {command}\n"
        ));
    }
    text.push_str(&format!(
        "Report: {folder}/report.html; all rows: scores.csv; figures: result.json. To repeat: {}\n",
        facts.repeat
    ));
    text
}
