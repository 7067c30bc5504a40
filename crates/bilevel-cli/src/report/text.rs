//! The text on the terminal.

use super::Facts;
use super::words;
use crate::table::{cells, table};
use crate::visible::{LONGEST_CELL, short};
use bilevel_tasks::count::{are, count};

/// How many of the most suspect rows are shown.
const SHOWN: usize = 10;

/// The report, with a final newline.
pub(crate) fn report(facts: &Facts<'_>) -> String {
    let distrust = match &facts.result.not_to_be_trusted {
        Some(_) => format!("{}\n", words::gradient_check(facts)),
        None => String::new(),
    };
    let parts = [
        format!("{distrust}{}", words::searched(facts)),
        format!(
            "How it works: {}{}",
            words::how(facts),
            words::left_out(facts)
        ),
        words::found(facts),
        most_suspect(facts),
        comparison(facts),
        winners(facts),
        files(facts),
    ];
    parts.join("\n")
}

fn most_suspect(facts: &Facts<'_>) -> String {
    let truth = facts.data.true_labels();
    let names = facts.data.train().class_names();
    let mut rows = vec![cells([
        "rank",
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
            score.rank.to_string(),
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
    format!(
        "The {}.{}\n{}{wrong}",
        count(rows.len() - 1, "most suspect row"),
        words::suggestions(facts),
        table(&rows)
    )
}

fn comparison(facts: &Facts<'_>) -> String {
    let legend: Vec<String> = words::legend(facts)
        .iter()
        .map(|(name, meaning)| format!("  {name:<18} {meaning}\n"))
        .collect();
    format!(
        "Compared with simple baselines (same rows, same model):\n{}\n{}",
        table(&words::comparison(facts)),
        legend.concat()
    )
}

fn winners(facts: &Facts<'_>) -> String {
    let sentences = words::winners(facts);
    format!("Who wins:\n  {}\n", sentences.join("\n  "))
}

fn files(facts: &Facts<'_>) -> String {
    let resume = facts.resume.map_or_else(String::new, |command| {
        format!("The run is not finished. To continue it: {command}\n")
    });
    format!(
        "{1}\n\nReport with charts: {0}/report.html\nAll rows with rank and suggestion: {0}/scores.csv; figures: result.json, history.jsonl; settings: config.toml.\n{resume}To repeat: {2}\n",
        facts.folder.display(),
        words::gradient_check(facts),
        facts.repeat
    )
}
