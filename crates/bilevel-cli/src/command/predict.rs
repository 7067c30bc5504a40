//! `bilevel predict`: applies a saved model to a file.

use anyhow::anyhow;
use bilevel_tasks::checkpoint::write_whole;
use bilevel_tasks::cleaning::{DataSpecification, Predicted, SavedModel};
use bilevel_tasks::count::count;
use serde::Serialize;

use crate::arguments::PredictArguments;
use crate::failure::Failure;
use crate::output;
use crate::progress::line;

/// The document of `--json`.
#[derive(Serialize)]
struct Summary<'p> {
    rows: usize,
    accuracy: Option<f64>,
    labelled: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    predictions: Option<&'p Predicted>,
}

pub(crate) fn run(options: &PredictArguments) -> Result<(), Failure> {
    if let Some(out) = options
        .out
        .as_ref()
        .filter(|out| out.symlink_metadata().is_ok())
    {
        return Err(Failure::usage(anyhow!(
            "--out {}: expected a file that does not exist yet, found one that does; choose another name",
            out.display()
        )));
    }
    let model = SavedModel::read(&options.model).map_err(Failure::usage)?;
    let data = DataSpecification {
        label: options.label.clone(),
        id: options.id.clone(),
        ..DataSpecification::default()
    };
    let predicted = model
        .predict(&options.data, &data)
        .map_err(Failure::usage)?;
    let table = csv(&predicted).map_err(Failure::run)?;
    match &options.out {
        Some(out) => write_whole(out, &table).map_err(Failure::run)?,
        None if options.json => {}
        None => output::print(&String::from_utf8_lossy(&table))?,
    }
    if options.json {
        let accuracy = predicted.accuracy;
        output::print(&output::json(&Summary {
            rows: predicted.rows.len(),
            accuracy: accuracy.map(|(share, _)| share),
            labelled: accuracy.map_or(0, |(_, rows)| rows),
            predictions: options.out.is_none().then_some(&predicted),
        })?)?;
    } else if !options.quiet {
        if let Some(out) = &options.out {
            line(&format!(
                "{} in {}",
                count(predicted.rows.len(), "prediction"),
                out.display()
            ));
        }
        if let Some((share, rows)) = predicted.accuracy {
            line(&format!(
                "accuracy on the {} with a label: {share:.4}",
                count(rows, "row")
            ));
        }
    }
    Ok(())
}

fn csv(predicted: &Predicted) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let given = predicted.rows.iter().any(|row| row.given.is_some());
    let named = predicted.rows.iter().any(|row| row.id.is_some());
    let mut head = vec!["row", "predicted", "probability"];
    head.extend(given.then_some("given"));
    head.extend(named.then_some("id"));
    writer.write_record(&head)?;
    for row in &predicted.rows {
        let mut record = vec![
            row.row.to_string(),
            row.predicted.clone(),
            format!("{:.6}", row.probability),
        ];
        record.extend(given.then(|| row.given.clone().unwrap_or_default()));
        record.extend(named.then(|| row.id.clone().unwrap_or_default()));
        writer.write_record(&record)?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}
