//! The description of a detector of wrong labels.

use bilevel_tasks::cleaning::{DetectorPage, detector_pages};

use crate::arguments::CommonArguments;
use crate::failure::Failure;

/// What a person reads about the detector of this name.
pub(super) fn explain(name: &str, common: &CommonArguments) -> Result<(), Failure> {
    let page = detector_pages().find(|page| page.name == name);
    match page {
        Some(page) => crate::command::deliver(common, "explain", &page, || text(&page)),
        None => {
            let names: Vec<&str> = detector_pages().map(|page| page.name).collect();
            let all = serde_json::json!({ "name": name, "candidates": names });
            crate::command::deliver(common, "explain", &all, || {
                format!(
                    "{name}: the best of the detectors {} on the trusted rows,\nfor bilevel clean. One of them: bilevel explain NAME\n",
                    names.join(", ")
                )
            })
        }
    }
}

fn text(page: &DetectorPage) -> String {
    let rows = match page.needs_trusted {
        true => "Needs trusted rows.",
        false => "Uses trusted rows where there are some.",
    };
    format!(
        "{}: a detector of wrong labels for bilevel clean, which {}.\n\n{}\n{rows}\nReference: {}\n",
        page.name, page.summary, page.how, page.reference
    )
}
