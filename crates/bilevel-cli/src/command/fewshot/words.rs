//! What a few-shot run says to people.

use std::fmt::Write;
use std::path::Path;

use bilevel_tasks::data::pictures::Split;
use bilevel_tasks::fewshot::{Accuracy, FewshotJob, FewshotResult, FewshotStep};

use crate::table::table;

/// All that a report shows.
pub(super) struct Facts<'a> {
    pub(super) result: &'a FewshotResult,
    pub(super) job: &'a FewshotJob,
    pub(super) history: &'a [FewshotStep],
    pub(super) config: &'a str,
    pub(super) folder: &'a Path,
    pub(super) resume: Option<&'a str>,
    pub(super) repeat: &'a str,
    pub(super) adapt: &'a str,
}

/// What is about to be done.
pub(super) fn what(job: &FewshotJob) -> String {
    let (classes, specification) = (&job.classes, &job.specification);
    let of = |split| classes.of(split).len();
    let shape = classes.set.shape;
    let tasks = &specification.tasks;
    format!(
        "{}{}: {} classes for training, {} for validation, {} for the test{}; pictures of {}×{}{}",
        counted(tasks.way, tasks.shot),
        match specification.data.files.is_empty() {
            true => " tasks of handwritten digits",
            false => " tasks",
        },
        of(Split::Train),
        of(Split::Validation),
        of(Split::Test),
        match classes.turned {
            true => ", each of them turned by 0, 90, 180 or 270 degrees",
            false => "",
        },
        shape.height,
        shape.width,
        match (shape.channels, classes.inverted) {
            (3, _) => " in colour",
            (_, true) => ", light and dark exchanged",
            _ => "",
        }
    )
}

fn counted(way: usize, shot: usize) -> String {
    format!("{way}-way {shot}-shot")
}

/// 97.12 % ± 0.31
pub(super) fn percent(accuracy: &Accuracy) -> String {
    format!(
        "{:.2} % ± {:.2}",
        100.0 * accuracy.accuracy,
        100.0 * accuracy.interval
    )
}

/// The first sentence: what wins.
pub(super) fn headline(result: &FewshotResult) -> String {
    let tasks = counted(result.way, result.shot);
    let learned = percent(&result.test);
    match result.baselines.iter().find(|b| b.name == result.best) {
        None => format!(
            "{learned} of the pictures of classes that training has not seen are recognised ({tasks} tasks, {})",
            result.algorithm
        ),
        Some(best) => format!(
            "a simple baseline does better than what was learned: {} ({}), {} against {learned} ({tasks} tasks, {})",
            best.name,
            best.meaning,
            percent(&best.accuracy),
            result.algorithm
        ),
    }
}

/// Sentences that warn.
pub(super) fn alarms(facts: &Facts<'_>) -> Vec<String> {
    let result = facts.result;
    let mut alarms = Vec::new();
    if let Some(why) = &result.not_to_be_trusted {
        alarms.push(format!("these results are not to be trusted: {why}"));
    }
    let chance = 1.0 / result.way as f64;
    if result.test.accuracy - result.test.interval <= chance {
        alarms.push(format!(
            "this is no better than guessing, {:.1} %",
            100.0 * chance
        ));
    }
    if result.complaints > 0 {
        alarms.push(format!(
            "{} hypergradients fell short of what the method promises; history.jsonl gives the reason for each step",
            result.complaints
        ));
    }
    if result.kept_step == result.outer_steps && result.outer_steps > 0 && facts.resume.is_none() {
        alarms.push(format!(
            "the last outer step is the best on validation tasks: more of them may do better ({} {} now)",
            crate::advice::spelled("outer_steps"),
            result.outer_steps
        ));
    }
    alarms
}

/// The rows of the comparison, with a line of names.
pub(super) fn comparison(result: &FewshotResult) -> Vec<Vec<String>> {
    let head = [
        "",
        "accuracy",
        "tasks",
        "learned minus this",
        "what it does",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.push(vec![
        "learned".to_owned(),
        percent(&result.test),
        result.test.tasks.to_string(),
        String::new(),
    ]);
    for baseline in &result.baselines {
        rows.push(vec![
            baseline.name.clone(),
            percent(&baseline.accuracy),
            baseline.accuracy.tasks.to_string(),
            format!(
                "{:+.2} ± {:.2}",
                100.0 * baseline.behind.accuracy,
                100.0 * baseline.behind.interval
            ),
        ]);
    }
    rows
}

/// What each row of the comparison does.
pub(super) fn legend(result: &FewshotResult) -> Vec<(String, String)> {
    let learned = (
        "learned".to_owned(),
        format!(
            "training on the support set from what was learned ({}, {})",
            result.algorithm, result.method
        ),
    );
    let baselines = result.baselines.iter();
    let baselines = baselines.map(|b| (b.name.clone(), b.meaning.clone()));
    std::iter::once(learned).chain(baselines).collect()
}

/// How training went.
pub(super) fn training(result: &FewshotResult) -> String {
    format!(
        "{} outer steps in {:.1} s; step {} is kept, the best on validation tasks ({:.2} %)",
        result.outer_steps,
        result.seconds,
        result.kept_step,
        100.0 * result.validation_accuracy
    )
}

/// The check of the gradient, in words.
pub(super) fn check(result: &FewshotResult) -> String {
    match result.gradient_check.relative_error {
        Some(error) => format!(
            "gradient checked against central differences on one task: relative error {error:.0e}"
        ),
        None => format!(
            "{} promises no exact gradient: there is nothing to check it against",
            result.method
        ),
    }
}

/// The report as text.
pub(super) fn report(facts: &Facts<'_>) -> String {
    let result = facts.result;
    let mut text = format!("{}\n", headline(result));
    for alarm in alarms(facts) {
        let _ = writeln!(text, "warning: {alarm}");
    }
    let _ = writeln!(text, "{}\n", training(result));
    text += &table(&comparison(result));
    for (name, meaning) in legend(result) {
        let _ = writeln!(text, "{name}: {meaning}");
    }
    if !result.step_factors.is_empty() {
        let factors: Vec<String> = result
            .step_factors
            .iter()
            .map(|(name, factor)| format!("{name} {factor:.2}"))
            .collect();
        let _ = writeln!(
            text,
            "\nlearned factors of the step sizes: {}",
            factors.join(", ")
        );
    }
    let _ = writeln!(text, "\n{}", check(result));
    let _ = writeln!(
        text,
        "to recognise your own pictures, a few of each class in a folder of its own: {}",
        facts.adapt
    );
    if let Some(resume) = facts.resume {
        let _ = writeln!(text, "the run is not finished; to continue it: {resume}");
    }
    let _ = writeln!(text, "files: {}", facts.folder.display());
    text
}
