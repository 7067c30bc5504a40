//! `bilevel fewshot adapt`: recognises a person's own pictures.

use anyhow::anyhow;
use bilevel_tasks::checkpoint::write_whole;
use bilevel_tasks::count::count;
use bilevel_tasks::fewshot::{Adapted, OwnCheck, adapt};

use crate::arguments::AdaptArguments;
use crate::failure::Failure;
use crate::output;
use crate::progress::line;
use crate::threads::use_threads;

pub(crate) fn run(options: &AdaptArguments) -> Result<(), Failure> {
    let taken = |out: &&std::path::PathBuf| out.symlink_metadata().is_ok();
    if let Some(out) = options.out.as_ref().filter(taken) {
        return Err(Failure::usage(anyhow!(
            "--out {}: expected a file that does not exist yet, found one that does; choose another name",
            out.display()
        )));
    }
    use_threads(options.threads)?;
    let adapted = adapt(&options.weights, &options.folder).map_err(Failure::usage)?;
    let table = csv(&adapted).map_err(Failure::run)?;
    match &options.out {
        Some(out) => write_whole(out, &table).map_err(Failure::run)?,
        None if options.json => {}
        None => output::print(&String::from_utf8_lossy(&table))?,
    }
    if options.json {
        output::print(&output::json(&adapted)?)?;
    }
    if !options.quiet {
        said(&adapted).iter().for_each(|text| line(text));
        if let Some(out) = &options.out {
            line(&format!(
                "{} in {}",
                count(adapted.recognised.len(), "picture"),
                out.display()
            ));
        }
    }
    Ok(())
}

/// What there is to say besides the table.
fn said(adapted: &Adapted) -> Vec<String> {
    let mut said = adapted.notes.clone();
    let labelled: usize = adapted.classes.iter().map(|(_, pictures)| pictures).sum();
    said.push(format!(
        "{} in {} classes",
        count(labelled, "labelled picture"),
        adapted.classes.len()
    ));
    match &adapted.check {
        None => said.push(
            "with at least two labelled pictures of each class, they would be left out in turn to see how many are recognised"
                .to_owned(),
        ),
        Some(OwnCheck {
            learned,
            features,
            pixels,
            ..
        }) => {
            said.push(format!(
                "left out in turn, {:.1} % of them are recognised from the learned start, {:.1} % by the nearest class mean of learned features, {:.1} % by that of pixels",
                100.0 * learned,
                100.0 * features,
                100.0 * pixels
            ));
            match adapted.by.as_str() {
                "learned" => {}
                "features" => said.push(
                    "so the nearest class mean of learned features recognises the others".to_owned(),
                ),
                _ => said.push(
                    "so the nearest class mean of pixels, without what was learned, recognises the others"
                        .to_owned(),
                ),
            }
        }
    }
    if adapted.recognised.is_empty() {
        said.push(
            "no picture to recognise: put some beside the folders of the classes, or into a folder unlabelled"
                .to_owned(),
        );
    }
    said
}

fn csv(adapted: &Adapted) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["file", "label", "probability"])?;
    for one in &adapted.recognised {
        let probability = one
            .probability
            .map_or_else(String::new, |p| format!("{p:.6}"));
        writer.write_record([&one.file, &one.label, &probability])?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}
