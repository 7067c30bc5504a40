//! The sentences and figures that the text and the page share. Line breaks in them are for the
//! text; the page treats them as spaces.

use std::fmt::Write;

use bilevel::driver::Why;
use bilevel_tasks::cleaning::{Baseline, Caution, CleaningResult, WhyLeftOut, detector_pages};

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
        "Searched {} {what} for wrong labels,\n{}.\n{wrong}",
        result.rows,
        match result.trusted {
            0 => "without trusted rows".to_owned(),
            trusted => format!(
                "with the help of {} with trusted labels",
                count(trusted, "row")
            ),
        },
    )
}

/// How the search works, and how far it went.
pub(super) fn how(facts: &Facts<'_>) -> String {
    let result = facts.result;
    if let Some(text) = by_detectors(facts) {
        return text;
    }
    let none = if facts.kept_step == 0 {
        "No update improved the model on the held-out trusted rows, so no label is suspected.\n"
    } else {
        ""
    };
    let stopped = stopped(facts.why);
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

/// Why there were no more updates.
fn stopped(why: Why) -> String {
    match why {
        Why::LastStep => "the maximum".to_owned(),
        other => other.to_string(),
    }
}

/// How a detector judges.
fn deed(detector: &str) -> &'static str {
    let page = detector_pages().find(|page| page.name == detector);
    page.map_or("", |page| page.how)
}

/// How detectors judge, and which one was chosen, unless learned weights judge.
fn by_detectors(facts: &Facts<'_>) -> Option<String> {
    let result = facts.result;
    let (Some(ranks), Some(keeps)) = (result.ranked_by, result.kept_by) else {
        let text = deed(&result.method);
        return (!text.is_empty()).then(|| {
            format!(
                "{text}\nMethod: {}. Model: {}.\n",
                result.method, result.model
            )
        });
    };
    let mut text = format!("{}\n", deed(keeps));
    if ranks != keeps {
        let _ = match deed(ranks) {
            "" => writeln!(
                text,
                "With few trusted rows, the rows are ranked by the mean of the log-odds of two detectors: {ranks}."
            ),
            how => writeln!(
                text,
                "The rows are ranked by another detector, {ranks}: {how}"
            ),
        };
    }
    if result.candidates.is_empty() {
        let _ = writeln!(
            text,
            "{keeps} is what does best on most data: with {}, it was not compared with others.",
            match result.trusted {
                0 => "no trusted rows here",
                1..12 => "so few trusted rows here",
                _ => "so little time",
            }
        );
    } else {
        let figures: Vec<String> = result
            .candidates
            .iter()
            .map(|(name, auc, f1)| format!("{name} {f1:.3}, {auc:.3}"))
            .collect();
        let _ = writeln!(
            text,
            "It was chosen on trusted rows that it did not see, half of the time with labels replaced in the way found here\n(F1, AUC): {}.",
            figures.join("; ")
        );
    }
    let _ = writeln!(
        text,
        "Method: auto, which chose {}. Model: {}.",
        result.chosen.as_deref().unwrap_or(keeps),
        result.model
    );
    if let Some(size) = result.step_size {
        let _ = writeln!(
            text,
            "Learned weights stand beside it: they were updated {} ({}). Step size: {size:.4}.",
            count(result.outer_steps, "time"),
            stopped(facts.why)
        );
    }
    Some(text)
}

/// What was not done, and why.
pub(super) fn left_out(facts: &Facts<'_>) -> String {
    let left = &facts.result.left_out;
    let of = |why: WhyLeftOut| {
        let these = left.iter().filter(|left| left.why == why);
        let these: Vec<&str> = these.map(|left| left.what.as_str()).collect();
        these.join(", ")
    };
    let mut text = String::new();
    for (why, reason) in [
        (WhyLeftOut::TimeLimit, "the time limit was reached"),
        (WhyLeftOut::Diverged, "training diverged"),
        (WhyLeftOut::Memory, "there is not enough memory"),
    ] {
        let these = of(why);
        if !these.is_empty() {
            let _ = writeln!(text, "Left out, as {reason}: {these}.");
        }
    }
    text
}

/// What a reader must know before anything else: that results are not to be trusted, or that the model is worse than one
/// trained on all rows.
pub(super) fn alarms(facts: &Facts<'_>) -> Vec<String> {
    let result = facts.result;
    let mut alarms = Vec::new();
    if let Some(why) = &result.not_to_be_trusted {
        alarms.push(format!("WARNING: not to be trusted: {why}.\n"));
    }
    alarms.extend(result.cautions.iter().map(caution));
    let everything = result
        .baselines
        .0
        .iter()
        .find(|(name, _)| name == "all_rows");
    let accuracies = everything.iter();
    let all = accuracies
        .flat_map(|(_, row)| [row.test_accuracy, row.retrained_accuracy])
        .flatten()
        .reduce(f64::max);
    if let (Some(all), Some(own)) = (all, result.retrained_accuracy)
        && own < all
    {
        alarms.push(format!(
            "WARNING: a model trained on the kept rows is worse than one trained on all rows: {} of the test rows against {}.\n",
            figure(Some(own)),
            figure(Some(all))
        ));
    }
    alarms
}

fn caution(caution: &Caution) -> String {
    let percent = |share: f64| (100.0 * share).round();
    match *caution {
        Caution::CutShort { steps, most } => format!(
            "WARNING: the time limit ended training after {} of at most {most}: many right labels may look wrong.\nGive more time, or continue the run.\n",
            count(steps, "step")
        ),
        Caution::FeaturesSayLittle {
            predicted,
            most_frequent,
        } => format!(
            "WARNING: the features hardly tell which label a row has: models of other rows predict {} % of the labels,\nthe most frequent label alone is {} % of them. Many right labels may look wrong.\n",
            percent(predicted),
            percent(most_frequent)
        ),
    }
}

/// Whether anything is known against which results can be judged.
pub(super) fn is_judged(facts: &Facts<'_>) -> bool {
    let own = own(facts.result);
    CONTESTS.iter().any(|contest| (contest.of)(&own).is_some())
}

/// Who judged, in a line.
pub(super) fn judged_by(facts: &Facts<'_>) -> String {
    let result = facts.result;
    let chosen = match &result.chosen {
        Some(chosen) if !result.candidates.is_empty() => {
            format!("{chosen}, the best on the trusted rows")
        }
        Some(chosen) => chosen.clone(),
        None => result.method.clone(),
    };
    let size = result
        .step_size
        .filter(|_| result.chosen.is_none())
        .map_or_else(String::new, |size| format!(", step size {size:.4}"));
    let updates = match result.outer_steps {
        0 => String::new(),
        _ if result.chosen.is_some() => String::new(),
        steps => format!(
            ", {} ({}), kept: {}",
            count(steps, "update"),
            stopped(facts.why),
            facts.kept_step
        ),
    };
    format!(
        "Judged by {chosen} (model {}{size}{updates}).\n",
        result.model
    )
}

/// What to do next.
pub(super) fn next(facts: &Facts<'_>) -> Vec<String> {
    let folder = facts.folder.display();
    let suspects = facts.scores.iter().filter(|score| score.suspect).count();
    let mut steps = Vec::new();
    if facts.result.trusted == 0 {
        steps.push(format!(
            "check the first 50 rows of {folder}/review.csv by hand and give them with right labels (--trusted): then mistakes can be counted, and more of them found"
        ));
    } else if suspects > 0 {
        steps.push(format!(
            "check suspects by hand: {folder}/review.csv lists them, the most suspect first"
        ));
    }
    if suspects > 0 && facts.corrupted.is_none() && !facts.config.contains("write_cleaned") {
        steps.push(
            "get the rows without them: the same command with --write-cleaned FILE".to_owned(),
        );
    }
    if steps.is_empty() {
        steps.push("look at the report: charts, comparison, how it was done".to_owned());
    }
    steps
}

/// The pairs of given and suggested label of suspects, the most frequent first.
pub(super) fn confused(facts: &Facts<'_>) -> Vec<((String, String), usize)> {
    let mut pairs = std::collections::BTreeMap::<(String, String), usize>::new();
    for score in facts.scores.iter().filter(|score| score.suspect) {
        let pair = (score.given.clone(), score.suggested.clone());
        *pairs.entry(pair).or_default() += 1;
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    pairs
}

/// Where suggestions come from, where that is not the same judge.
pub(super) fn suggestions(facts: &Facts<'_>) -> &'static str {
    if by_detectors(facts).is_some() {
        " Weight: the probability that the label is right."
    } else {
        " The suggested label and its probability come from a model\ntrained on the kept rows and the trusted rows."
    }
}

/// What is to be expected of the suspects, if it is known.
pub(super) fn expected(facts: &Facts<'_>) -> String {
    let Some(expected) = facts.result.expected else {
        return String::new();
    };
    let percent = |share: f64| (100.0 * share).round();
    let (wrong, precision, recall) = (expected.wrong, expected.precision, expected.recall);
    if wrong.low <= 0.0 && wrong.high >= facts.result.rows as f64 {
        return "How many labels are wrong cannot be told: on the trusted rows, it is not clear that wrong labels look wrong more\noften than right ones, so the suspects may be no worse than other rows.\n".to_owned();
    }
    format!(
        "Expected, from the trusted rows: {} wrong labels ({} to {}); {} % of the dropped rows are wrong\n({} to {}), and {} % of the wrong labels are dropped ({} to {}).\n",
        wrong.estimate,
        wrong.low,
        wrong.high,
        percent(precision.estimate),
        percent(precision.low),
        percent(precision.high),
        percent(recall.estimate),
        percent(recall.low),
        percent(recall.high),
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
    text.push_str(&expected(facts));
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
    let own = (result.method.clone(), own(result));
    for (name, baseline) in std::iter::once(&own).chain(&result.baselines.0) {
        rows.push(vec![
            if name == CEILING {
                format!("({name})")
            } else {
                name.clone()
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
    let auto = facts.result.chosen.is_some();
    let known = |name: &str| {
        let mut names = facts.result.baselines.0.iter();
        names.any(|(other, _)| other == name)
    };
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
    ];
    if auto {
        legend.push(("auto", "is the detector that does best on trusted rows"));
    }
    legend.extend(
        detector_pages()
            .filter(|page| known(page.name))
            .map(|page| (page.name, page.summary)),
    );
    if known(CEILING) {
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
            .filter(|(name, _)| name != CEILING)
            // These are the same labels and ranks.
            .filter(|(name, _)| result.chosen.as_ref() != Some(name))
            .filter_map(|(name, baseline)| Some((name, (contest.of)(baseline)?)))
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
    } else if lost == judged && result.step_size.is_some() && result.chosen.is_none() {
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
        None if facts.result.outer_steps == 0 => String::new(),
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
