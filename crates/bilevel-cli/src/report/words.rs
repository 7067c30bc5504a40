//! The sentences and figures that the text and the page share. Line breaks in them are for the
//! text; the page treats them as spaces.

use std::fmt::Write;

use bilevel::driver::Why;
use bilevel_tasks::cleaning::{Baseline, CleaningResult};

use super::Facts;
use crate::table::{cells, figure};
use bilevel_tasks::count::{are, count};

/// The baseline that knows which labels are right: an upper limit, not a competitor.
const CEILING: &str = "clean_rows";

/// What was searched.
pub(super) fn searched(facts: &Facts<'_>) -> String {
    let result = facts.result;
    let what = facts.what;
    let wrong = match facts.corrupted {
        None => String::new(),
        Some(0.0) => {
            "All labels are known to be right, so every suspect is a false alarm.\n".to_owned()
        }
        Some(rate) => format!(
            "Experiment: {} % of these labels were replaced on purpose, so the wrong labels are known.\nThe search does not use this knowledge.\n",
            rounded(100.0 * rate)
        ),
    };
    format!(
        "Searched {} {what} for wrong labels,\nwith the help of {} with trusted labels.\n{wrong}",
        result.rows,
        count(result.trusted, "row"),
    )
}

/// How the search works, and how far it went.
pub(super) fn how(facts: &Facts<'_>) -> String {
    let result = facts.result;
    let none = if facts.kept_step == 0 {
        "No update improved the model on the held-out trusted rows, so no label is suspected.\n"
    } else {
        ""
    };
    let stopped = match facts.why {
        Why::LastStep => "the maximum".to_owned(),
        other => other.to_string(),
    };
    format!(
        "Every row has a weight between 0 and 1, which starts at 0.5. A model is trained on the weighted rows\n\
         and tested on the trusted rows; then each weight moves in the direction that improves the trained model.\n\
         A row whose weight ends below 0.5 did harm: its label is suspected to be wrong.\n\
         The weights were updated {} ({stopped}); the result is from update {}. Method: {}. Model: {}.{}\n{none}",
        count(result.outer_steps, "time"),
        facts.kept_step,
        result.method,
        result.model,
        result
            .step_size
            .map_or_else(String::new, |size| format!(" Step size: {size:.4}."))
    )
}

/// How many labels look wrong, and how many are wrong: one line each.
pub(super) fn found(facts: &Facts<'_>) -> String {
    let suspects = facts.scores.iter().filter(|score| score.suspect).count();
    let mut text = format!(
        "{suspects} of {} {} wrong.\n",
        count(facts.scores.len(), "label"),
        if suspects == 1 { "looks" } else { "look" }
    );
    if let Some(wrong) = facts.data.wrong() {
        let all = wrong.iter().filter(|wrong| **wrong).count();
        let hits = facts
            .scores
            .iter()
            .filter(|score| score.suspect && wrong[score.position])
            .count();
        let _ = writeln!(
            text,
            "Of the {}, {hits} {} found and {} missed; {} of the {} {} suspected without cause.",
            count(all, "wrong label"),
            if hits == 1 { "was" } else { "were" },
            all - hits,
            suspects - hits,
            count(wrong.len() - all, "right label"),
            are(suspects - hits),
        );
    }
    text
}

/// The head and the lines of the table that compares the method with simple baselines.
pub(super) fn comparison(facts: &Facts<'_>) -> Vec<Vec<String>> {
    let result = facts.result;
    let mut rows = vec![cells(["", "F1", "AUC", "accuracy", "seconds"])];
    let own = (result.method.as_str(), own(result));
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
    rows
}

/// The meaning of the words in that table.
pub(super) fn legend(facts: &Facts<'_>) -> Vec<(&'static str, &'static str)> {
    let mut legend = vec![
        (
            "F1",
            "how well right labels are kept and wrong ones dropped; 1 is perfect",
        ),
        (
            "AUC",
            "how often a wrong label ranks before a right one; 0.5 is chance",
        ),
        (
            "accuracy",
            "on the test rows, of a model trained on the kept rows and the trusted rows",
        ),
        ("all_rows", "keeps every row"),
        ("trusted_only", "trains on the trusted rows only"),
        (
            "agreement",
            "trains on the trusted rows, then keeps a row if that model predicts its label",
        ),
    ];
    let baselines = &facts.result.baselines.0;
    if baselines.iter().any(|(name, _)| *name == CEILING) {
        legend.push((
            CEILING,
            "is told which labels are right: an upper limit, not a competitor",
        ));
    }
    legend
}

fn own(result: &CleaningResult) -> Baseline {
    Baseline {
        f1: result.f1,
        auc: result.auc,
        test_accuracy: result.test_accuracy,
        retrained_accuracy: result.retrained_accuracy,
        seconds: result.seconds,
    }
}

/// A column of the table, and the advice to the reader if a baseline is best in this column.
struct Contest {
    name: &'static str,
    of: fn(&Baseline) -> Option<f64>,
    advice: &'static str,
}

const CONTESTS: [Contest; 3] = [
    Contest {
        name: "F1",
        of: |baseline| baseline.f1,
        advice: "it is the better choice here for deciding which labels to drop",
    },
    Contest {
        name: "AUC",
        of: |baseline| baseline.auc,
        advice: "when you check rows by hand, its order finds wrong labels sooner than the ranks in scores.csv",
    },
    Contest {
        name: "accuracy",
        of: |baseline| baseline.retrained_accuracy,
        advice: "to get an accurate classifier, train the way it does",
    },
];

/// Who is best in each column of that table, and the conclusion.
pub(super) fn winners(facts: &Facts<'_>) -> Vec<String> {
    let result = facts.result;
    let mine = own(result);
    let mut sentences = Vec::new();
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
        let method = &result.method;
        sentences.push(if own == other {
            format!("{name}: {method} and {rival} tie at {own}.")
        } else if value > best {
            format!("{name}: {method} wins, {own} against {other} for {rival}, the best baseline.")
        } else {
            lost += 1;
            format!(
                "{name}: the baseline {rival} WINS, {other} against {own} for {method}:\n    {}.",
                contest.advice
            )
        });
    }
    if judged == 0 {
        sentences.push("This cannot be judged here: the wrong labels are not known, and there are no test rows\n  (give --test, or --test-features or --test-images with --test-labels). Check some suspects by hand before you trust them.".to_owned());
    } else if lost == judged {
        sentences.push(
            "On data like these, there is no need to learn weights: the baselines do better."
                .to_owned(),
        );
    }
    sentences
}

/// Whether the gradient can be relied on.
pub(super) fn gradient_check(facts: &Facts<'_>) -> String {
    let check = &facts.result.gradient_check;
    let error = check
        .relative_error
        .map_or("not a number".to_owned(), |error| format!("{error:.0e}"));
    match check.passed {
        None => format!(
            "The gradient was not checked against finite differences: method {} estimates a different direction.",
            facts.result.method
        ),
        Some(true) => {
            format!("The gradient was checked against finite differences: relative error {error}.")
        }
        Some(false) => format!(
            "WARNING: the gradient disagrees with finite differences (relative error {error}).\nDo not rely on these results; a smaller --step-size may help."
        ),
    }
}

/// Rounds to two decimals.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
