//! `bilevel methods`: the list.

use bilevel::catalogue::METHODS;
use bilevel_tasks::cleaning::{DetectorPage, detector_pages};
use serde::Serialize;

use crate::arguments::MethodsArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::table::{cells, table};

#[derive(Serialize)]
struct MethodsResult {
    methods: Vec<Line>,
    /// Of wrong labels, for `bilevel clean`.
    detectors: Vec<DetectorPage>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    aliases: &'static [&'static str],
    estimate: &'static str,
    summary: &'static str,
    reference: &'static str,
}

pub(crate) fn run(arguments: &MethodsArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    Folder::expect_new(common.out.as_deref())?;
    let methods = METHODS.iter().map(|entry| Line {
        name: entry.form_of_name(),
        aliases: entry.aliases,
        estimate: entry.gives.text(),
        summary: entry.page.summary,
        reference: entry.page.reference,
    });
    let result = MethodsResult {
        methods: methods.collect(),
        detectors: detector_pages().collect(),
    };
    super::deliver(common, "methods", &result, || text(&result))
}

fn text(result: &MethodsResult) -> String {
    let mut rows = vec![cells(["method", "estimate"])];
    for line in &result.methods {
        let names: Vec<&str> = std::iter::once(line.name.as_str())
            .chain(line.aliases.iter().copied())
            .collect();
        rows.push(vec![names.join(", "), line.estimate.to_owned()]);
    }
    // The summary follows the columns and is left-aligned, unlike figures.
    let lines = table(&rows);
    let mut text = String::new();
    for (number, line) in lines.lines().enumerate() {
        text += line;
        if let Some(method) = number.checked_sub(1).and_then(|at| result.methods.get(at)) {
            text += "  ";
            text += method.summary;
        }
        text.push('\n');
    }
    text += "\nDetectors of wrong labels, for bilevel clean; auto takes the best of them on the trusted rows:\n";
    let longest = result.detectors.iter().map(|page| page.name.len()).max();
    for page in &result.detectors {
        let width = longest.unwrap_or_default();
        text += &format!("  {:width$}  {}\n", page.name, page.summary);
    }
    text + "\nAny field can be combined with any adjoint: --field aggregate --schedule constant:0.5 --adjoint checkpointed:20.\nThe update, its cost and when to use it: bilevel explain METHOD\n"
}
