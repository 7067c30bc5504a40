//! What a person reads after a run.

use std::fmt::Write;
use std::path::Path;

use bilevel::driver::Why;
use bilevel_tasks::cleaning::{Baseline, CleaningData};

use crate::command::clean::result::{CleanResult, Score};
use crate::table::{cells, figure, table};

/// How many of the most suspect rows are shown.
const SHOWN: usize = 10;
/// It knows which labels are right: a ceiling, no competitor.
const CEILING: &str = "clean_rows";

/// What the report is made of.
pub(crate) struct Facts<'a> {
    pub(crate) result: &'a CleanResult<'a>,
    pub(crate) scores: &'a [Score],
    pub(crate) data: &'a CleaningData,
    /// What the rows are, after their number.
    pub(crate) what: &'a str,
    /// The share of labels that was made wrong, where that was asked for.
    pub(crate) corrupted: Option<f64>,
    pub(crate) kept_step: usize,
    pub(crate) why: Why,
    pub(crate) folder: &'a Path,
    /// The command that goes on, where the run can.
    pub(crate) resume: Option<&'a str>,
    pub(crate) repeat: &'a str,
}

/// The report, with a line end.
pub(crate) fn report(facts: &Facts<'_>) -> String {
    let parts = [
        done(facts),
        found(facts),
        most_suspect(facts),
        comparison(facts),
        winners(facts),
        files(facts),
    ];
    parts.join("\n")
}

fn done(facts: &Facts<'_>) -> String {
    let result = facts.result;
    let what = facts.what;
    let wrong = match facts.corrupted {
        None => String::new(),
        Some(0.0) => {
            "All labels are stated to be right, so every suspicion is without cause.\n".to_owned()
        }
        Some(rate) => format!(
            "As an experiment, {} % of the labels to be searched were replaced on purpose, so that it is known which are\nwrong; the search does not use that.\n",
            rounded(100.0 * rate)
        ),
    };
    let stopped = match facts.why {
        Why::LastStep => "as many as allowed".to_owned(),
        other => other.to_string(),
    };
    format!(
        "Searched {} {what} for wrong labels,\nwith the help of {} rows whose labels are trusted.\n{wrong}\n\
         How: every row has a weight from 0 to 1, at first one half. A model is trained on the weighted rows and\n\
         tried on the trusted rows; then each weight is moved the way that makes the trained model better there.\n\
         A row that ends below one half did harm: its label is suspected to be wrong.\n\
         The weights were moved {} times ({stopped}); kept are those after move {}. Method {}, model {}.\n",
        result.rows,
        result.trusted,
        result.outer_steps,
        facts.kept_step,
        result.method,
        result.model
    )
}

fn found(facts: &Facts<'_>) -> String {
    let suspects = facts.scores.iter().filter(|score| score.suspect).count();
    let mut text = format!("{suspects} of {} labels look wrong.\n", facts.scores.len());
    if let Some(wrong) = facts.data.wrong() {
        let all = wrong.iter().filter(|wrong| **wrong).count();
        let hits = facts
            .scores
            .iter()
            .filter(|score| score.suspect && wrong[score.position])
            .count();
        let _ = writeln!(
            text,
            "Of the {all} labels that are wrong, {hits} were found and {} missed; {} of the {} right ones are suspected without cause.",
            all - hits,
            suspects - hits,
            wrong.len() - all
        );
    }
    text
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
            score.given.clone(),
            format!("-> {}", score.suggested),
            format!("{:.3}", score.p_suggested),
        ];
        if let Some(truth) = truth {
            row.push(names[truth[score.position] as usize].clone());
        }
        row.extend(score.id.clone());
        rows.push(row);
    }
    let wrong = facts.data.wrong().map_or(String::new(), |wrong| {
        let shown = facts.scores.iter().take(SHOWN);
        let right = shown.filter(|score| wrong[score.position]).count();
        format!(
            "{right} of these {} labels are wrong indeed.\n",
            rows.len() - 1
        )
    });
    format!(
        "The {} most suspect rows, each with its given label and the one that a model trained on the kept and the\ntrusted rows suggests, with its probability:\n{}{wrong}",
        rows.len() - 1,
        table(&rows)
    )
}

fn comparison(facts: &Facts<'_>) -> String {
    let result = facts.result;
    let mut rows = vec![cells(["", "F1", "AUC", "accuracy", "seconds"])];
    let own = (result.method, own(result));
    for (name, baseline) in std::iter::once(&own).chain(&result.baselines.0) {
        rows.push(vec![
            if *name == CEILING {
                format!("({name})")
            } else {
                (*name).to_owned()
            },
            figure(baseline.f1),
            figure(baseline.auc),
            figure(baseline.retrained_accuracy),
            format!("{:.1}", baseline.seconds),
        ]);
    }
    let ceiling = if rows.iter().any(|row| row[0] == format!("({CEILING})")) {
        "\n  clean_rows     told which labels are right: the most that can be hoped for, no competitor"
    } else {
        ""
    };
    format!(
        "Beside simple ways to do the same, on the same rows with the same model:\n{}\n\
         \x20 F1             right labels kept and wrong ones not, at the best 1\n\
         \x20 AUC            how often a wrong label is ranked before a right one; 0.5 is chance\n\
         \x20 accuracy       on test rows, of a model trained on the rows that are kept and the trusted rows\n\
         \x20 all_rows       believes every label\n\
         \x20 trusted_only   uses the trusted rows alone\n\
         \x20 agreement      trains on the trusted rows, then keeps a label if that model would have given it too{ceiling}\n",
        table(&rows)
    )
}

fn own(result: &CleanResult<'_>) -> Baseline {
    Baseline {
        f1: result.f1,
        auc: result.auc,
        test_accuracy: result.test_accuracy,
        retrained_accuracy: result.retrained_accuracy,
        seconds: result.seconds,
    }
}

/// A figure of the table, and what it means for the reader when a simple way is best in it.
struct Contest {
    name: &'static str,
    of: fn(&Baseline) -> Option<f64>,
    advice: &'static str,
}

const CONTESTS: [Contest; 3] = [
    Contest {
        name: "F1",
        of: |baseline| baseline.f1,
        advice: "to decide which labels to drop, it is the better choice here",
    },
    Contest {
        name: "AUC",
        of: |baseline| baseline.auc,
        advice: "to look through rows by hand, its order finds wrong labels sooner than the ranks in scores.csv",
    },
    Contest {
        name: "accuracy",
        of: |baseline| baseline.retrained_accuracy,
        advice: "for a good classifier, train as it does",
    },
];

fn winners(facts: &Facts<'_>) -> String {
    let result = facts.result;
    let mine = own(result);
    let mut text = String::from("Who wins:\n");
    let (mut judged, mut lost) = (0, 0);
    for contest in &CONTESTS {
        let Some(value) = (contest.of)(&mine) else {
            continue;
        };
        let best = result
            .baselines
            .0
            .iter()
            .filter(|(name, _)| *name != CEILING)
            .filter_map(|(name, baseline)| Some((*name, (contest.of)(baseline)?)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((rival, best)) = best else {
            continue;
        };
        judged += 1;
        let (name, own, other) = (contest.name, figure(Some(value)), figure(Some(best)));
        let _ = if own == other {
            writeln!(
                text,
                "  {name}: {} and {rival} are equal, {own}.",
                result.method
            )
        } else if value > best {
            writeln!(
                text,
                "  {name}: {}, {own} against {other} of {rival}, the best simple way.",
                result.method
            )
        } else {
            lost += 1;
            writeln!(
                text,
                "  {name}: the simple way {rival} WINS, {other} against {own} of {}:\n    {}.",
                result.method, contest.advice
            )
        };
    }
    if judged == 0 {
        text += "  That cannot be told here: it is not known which labels are wrong, and there are no test rows\n  (--test, or --test-features or --test-images with --test-labels). Look at some suspects by hand before you trust them.\n";
    } else if lost == judged {
        text +=
            "  So on data like these there is no need to learn weights: simple ways do better.\n";
    }
    text
}

fn files(facts: &Facts<'_>) -> String {
    let check = &facts.result.gradient_check;
    let error = check
        .relative_error
        .map_or("not a number".to_owned(), |error| format!("{error:.0e}"));
    let checked = if check.passed {
        format!(
            "The gradient that moved the weights was checked against finite differences: relative error {error}."
        )
    } else {
        format!(
            "WARNING: the gradient that moved the weights does not agree with finite differences (relative error {error}):\ndo not rely on these results; a smaller --step-size may help."
        )
    };
    let resume = facts.resume.map_or_else(String::new, |command| {
        format!("This is not the end of the run. To go on from here: {command}\n")
    });
    format!(
        "{checked}\n\nAll rows with rank and suggestion: {0}/scores.csv; figures: result.json, history.jsonl; settings: config.toml.\n{resume}To repeat: {1}\n",
        facts.folder.display(),
        facts.repeat
    )
}

/// Without needless digits.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
