//! The files of a run.

use std::collections::BTreeMap;

use bilevel::driver::Why;
use bilevel::objective::Calls;
use serde::{Serialize, Serializer};

use super::baseline::Baseline;
use super::caution::Caution;
use super::detector::Expected;
use super::findings::Findings;
use super::gradient::GradientCheck;
use super::left_out::LeftOut;
use super::run::OuterStep;
use super::split::CleaningData;
use super::verdict::Verdict;
use crate::Error;
use crate::data::preparation::ColumnScale;
use crate::model::predictions;
use crate::train::Classifier;

/// The results of a job: everything that is printed and written.
#[derive(Clone, PartialEq, Debug)]
pub struct CleaningOutcome {
    /// The figures.
    pub result: CleaningResult,
    /// The rows by rank: the smallest weight first.
    pub scores: Vec<Score>,
    /// The rows without a label, in their order.
    pub suggestions: Vec<Suggestion>,
    /// The parameters of the model trained on the kept rows, if there was the time for it.
    pub parameters: Option<Vec<f32>>,
    /// The outer step that is kept.
    pub kept_step: usize,
    /// Why the run ended.
    pub why: Why,
}

/// `result.json`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CleaningResult {
    /// Why nothing here is to be trusted, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_to_be_trusted: Option<String>,
    /// Why what looks wrong may be right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cautions: Vec<Caution>,
    /// The method.
    pub method: String,
    /// The model.
    pub model: String,
    /// Training rows.
    pub rows: usize,
    /// Trusted rows.
    pub trusted: usize,
    /// Root seed of all draws.
    pub seed: u64,
    /// Updates made; the kept step may be an earlier one.
    pub outer_steps: usize,
    /// Time to learn the weights and train on the kept rows.
    pub seconds: f64,
    /// Peak memory of the process; None until the caller sets it.
    pub peak_memory_mb: Option<f64>,
    /// f at the kept step, where weights are learned.
    pub f: Option<f64>,
    /// F1 of the rows that are kept.
    pub f1: Option<f64>,
    /// Precision of the rows that are kept.
    pub precision: Option<f64>,
    /// Recall of the rows that are kept.
    pub recall: Option<f64>,
    /// F1 of the suspects.
    pub suspect_f1: Option<f64>,
    /// AUC of the ranking.
    pub auc: Option<f64>,
    /// Average precision of the ranking.
    pub average_precision: Option<f64>,
    /// Test accuracy of the model at the kept step.
    pub test_accuracy: Option<f64>,
    /// Test accuracy of the model trained on the kept rows.
    pub retrained_accuracy: Option<f64>,
    /// The detector that was chosen: who keeps, and who ranks, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The detector that ranks the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranked_by: Option<&'static str>,
    /// The detector that says which rows are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<&'static str>,
    /// What is to be expected of the suspects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// AUC and F1 of the candidates on trusted rows.
    #[serde(skip)]
    pub candidates: Vec<(&'static str, f64, f64)>,
    /// Who gave the labels, the one with the most suspects for the number of rows first, if that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotators: Vec<AnnotatorRow>,
    /// What was not done, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The baselines.
    pub baselines: Baselines,
    /// Whether the gradient is right.
    pub gradient_check: GradientCheck,
    /// Step size of the inner gradient, where the method has one.
    pub step_size: Option<f64>,
    /// What was chosen to fit the memory budget, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjoint: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjoint_reason: Option<String>,
    /// Findings about the rows.
    pub input: Findings,
}

/// What was found about one who gave labels.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AnnotatorRow {
    /// As the column has it.
    pub annotator: String,
    /// Rows with a label by this annotator.
    pub rows: usize,
    /// Those of them that are suspects.
    pub suspects: usize,
}

/// What was found about each annotator, the most often suspected first; few rows say little.
pub(super) fn annotators(data: &CleaningData, suspects: &[bool]) -> Vec<AnnotatorRow> {
    let Some(annotators) = data.annotators() else {
        return Vec::new();
    };
    let mut all: Vec<AnnotatorRow> = annotators
        .names()
        .iter()
        .map(|name| AnnotatorRow {
            annotator: name.clone(),
            rows: 0,
            suspects: 0,
        })
        .collect();
    for (&annotator, suspect) in annotators.of_rows().iter().zip(suspects) {
        let own = &mut all[annotator as usize];
        own.rows += 1;
        own.suspects += usize::from(*suspect);
    }
    let total = suspects.iter().filter(|suspect| **suspect).count();
    let rate = total as f64 / suspects.len().max(1) as f64;
    /// Each is like all, to the weight of so many rows.
    const LIKE_ALL: f64 = 4.0;
    let share =
        |own: &AnnotatorRow| (own.suspects as f64 + LIKE_ALL * rate) / (own.rows as f64 + LIKE_ALL);
    all.sort_by(|a, b| share(b).total_cmp(&share(a)));
    all
}

/// The baselines by name, in their order.
#[derive(Clone, PartialEq, Debug)]
pub struct Baselines(
    /// Name and figures.
    pub Vec<(String, Baseline)>,
);

#[derive(Serialize)]
struct BaselineFigures {
    f1: Option<f64>,
    auc: Option<f64>,
    test_accuracy: Option<f64>,
    retrained_accuracy: Option<f64>,
    seconds: f64,
}

impl Serialize for Baselines {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, baseline)| {
            let figures = BaselineFigures {
                f1: baseline.f1,
                auc: baseline.auc,
                test_accuracy: baseline.test_accuracy,
                retrained_accuracy: baseline.retrained_accuracy,
                seconds: baseline.seconds,
            };
            (name, figures)
        }))
    }
}

/// A line of `history.jsonl`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct HistoryLine<'s> {
    step: usize,
    seconds: f64,
    f: f64,
    g: f64,
    hypergradient_norm: f64,
    held_out_loss: Option<f64>,
    f1: Option<f64>,
    auc: Option<f64>,
    /// The method's warnings.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'s str>,
    /// The method's other diagnostics.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    figures: &'s BTreeMap<String, f64>,
    oracle_calls: OracleCalls,
}

/// Calls of both objectives.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OracleCalls {
    /// Of the inner objective.
    pub inner: Calls,
    /// Of the outer objective.
    pub outer: Calls,
}

impl<'s> From<&'s OuterStep> for HistoryLine<'s> {
    fn from(step: &'s OuterStep) -> Self {
        Self {
            step: step.step,
            seconds: step.seconds,
            f: step.f,
            g: step.g,
            hypergradient_norm: step.hypergradient_norm,
            held_out_loss: step.held_out,
            f1: step.metrics.as_ref().and_then(|metrics| metrics.f1),
            auc: step.metrics.as_ref().and_then(|metrics| metrics.auc),
            status: step.complaint.as_deref(),
            figures: &step.figures,
            oracle_calls: OracleCalls {
                inner: step.inner_calls,
                outer: step.outer_calls,
            },
        }
    }
}

/// A row of `scores.csv`, by rank.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Score {
    /// Its number in the source.
    pub row: usize,
    /// Its given label.
    pub given: String,
    /// Its learned weight, or the probability that its label is right.
    pub weight: f64,
    /// From 1.
    pub rank: usize,
    /// Whether its label is suspected: it is not kept, and, where a detector judges, another label is suggested.
    pub suspect: bool,
    /// The most probable label: for a model trained on the kept rows, or as the detector says.
    pub suggested: String,
    /// The probability of that label.
    pub p_suggested: f64,
    /// The name of the row, if rows have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Position among the training rows.
    #[serde(skip)]
    pub position: usize,
}

/// The rows by rank: the smallest weight first, then by row.
pub(super) fn scores(data: &CleaningData, ids: Option<&[String]>, verdict: &Verdict) -> Vec<Score> {
    let train = data.train();
    let names = train.class_names();
    let weights = &verdict.weights;
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| {
        let rows = data.train_rows();
        weights[a]
            .total_cmp(&weights[b])
            .then(rows[a].cmp(&rows[b]))
    });
    order
        .into_iter()
        .enumerate()
        .map(|(rank, position)| {
            let (class, p_suggested) = verdict.suggested[position];
            let row = data.train_rows()[position];
            let given = train.labels()[position];
            Score {
                row,
                id: ids.and_then(|ids| ids.get(row).cloned()),
                given: names[given as usize].clone(),
                weight: weights[position],
                rank: rank + 1,
                suspect: verdict.suspects[position],
                suggested: names[class as usize].clone(),
                p_suggested,
                position,
            }
        })
        .collect()
}

/// What the model says of a row without a label.
#[derive(Clone, PartialEq, Debug)]
pub struct Suggestion {
    /// Its number in the source.
    pub row: usize,
    /// The label that the retrained model finds most probable, if there was the time to train it.
    pub suggested: Option<String>,
    /// The probability of that label.
    pub p_suggested: Option<f64>,
    /// The name of the row, if rows have names.
    pub id: Option<String>,
}

/// A suggestion for each row without a label.
pub(super) fn suggestions(
    data: &CleaningData,
    ids: Option<&[String]>,
    retrained: Option<&Classifier<f32>>,
) -> Result<Vec<Suggestion>, Error> {
    let Some(unlabelled) = data.unlabelled() else {
        return Ok(Vec::new());
    };
    let (names, classes) = (unlabelled.class_names(), unlabelled.classes());
    let probabilities = retrained
        .map(|retrained| retrained.probabilities(unlabelled))
        .transpose()?;
    let suggested = probabilities
        .as_ref()
        .map(|probabilities| predictions(probabilities, classes));
    let rows = data.row_numbers().unlabelled.iter();
    let suggest = |(position, &row): (usize, &usize)| {
        let class = suggested
            .as_ref()
            .map(|suggested| suggested[position] as usize);
        let of = |probabilities: &Vec<f32>| {
            class.map(|class| f64::from(probabilities[position * classes + class]))
        };
        Suggestion {
            row,
            suggested: class.map(|class| names[class].clone()),
            p_suggested: probabilities.as_ref().and_then(of),
            id: ids.and_then(|ids| ids.get(row).cloned()),
        }
    };
    Ok(rows.enumerate().map(suggest).collect())
}

/// A line of `scores.csv` for a row without a label: what only a given label has is empty.
#[derive(Serialize)]
struct Unlabelled<'s> {
    row: usize,
    given: &'s str,
    weight: Option<f64>,
    rank: Option<usize>,
    suspect: bool,
    suggested: Option<&'s str>,
    p_suggested: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'s str>,
}

/// The text of `scores.csv`: the rows by rank, then those without a label.
///
/// # Errors
/// None known: it is written to memory.
pub fn scores_csv(scores: &[Score], suggestions: &[Suggestion]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for score in scores {
        writer.serialize(score)?;
    }
    for row in suggestions {
        writer.serialize(Unlabelled {
            row: row.row,
            given: "",
            weight: None,
            rank: None,
            suspect: false,
            suggested: row.suggested.as_deref(),
            p_suggested: row.p_suggested,
            id: row.id.as_deref(),
        })?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// The text of `scaling.csv`.
///
/// # Errors
/// None known: it is written to memory.
pub fn scaling_csv(scaling: &[ColumnScale]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = writer.write_record(["column", "mean", "scale"]);
    header?;
    for column in scaling {
        let (mean, scale) = (column.mean.to_string(), column.scale.to_string());
        let record = writer.write_record([&column.name, &mean, &scale]);
        record?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bilevel::Oracle;

    /// Checkpoints written by earlier versions are still read.
    #[test]
    fn calls_are_stored_as_ever() {
        let calls = Calls::of([
            (Oracle::Value, 1),
            (Oracle::GradY, 2),
            (Oracle::GradX, 3),
            (Oracle::Pull, 4),
            (Oracle::Push, 5),
        ]);
        let text = toml::to_string(&calls).unwrap();
        let expected = "values = 1\ngrad_y = 2\ngrad_x = 3\npulls = 4\npushes = 5\n";
        assert_eq!(text, expected);
        assert_eq!(toml::from_str::<Calls>(&text).unwrap(), calls);
        assert!(toml::from_str::<Calls>("values = 1").is_err());
        let bytes = postcard::to_stdvec(&calls).unwrap();
        assert_eq!(bytes, [1, 2, 3, 4, 5]);
        assert_eq!(postcard::from_bytes::<Calls>(&bytes).unwrap(), calls);
    }
}
