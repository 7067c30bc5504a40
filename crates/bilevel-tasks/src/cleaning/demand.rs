//! The memory that a job will take, before it is taken.

use super::split::CleaningData;
use crate::model::Model;
use crate::{Error, machine};

/// Copies of the parameters of a model: of its state, its gradient, momentum, and what a hypergradient adds.
const OF_PARAMETERS: usize = 10;
/// Copies of the probabilities of all classes for all rows: of each detector, of targets, and inside a model.
const OF_PROBABILITIES: usize = 10;
/// Matrices of classes, in double precision: of two detectors, of their counts.
const OF_MATRICES: usize = 4;
/// Copies of the activations of a hidden layer.
const OF_HIDDEN: usize = 4;
/// The part of the free memory that may be taken.
const PART: f64 = 0.9;

/// Fails if the model, or what is kept of each row, takes more memory than there is.
///
/// # Errors
/// [`Error::Memory`], with the largest part.
pub(super) fn expect_memory(data: &CleaningData, model: Model) -> Result<(), Error> {
    let Some(available) = machine::available_memory() else {
        return Ok(());
    };
    let available = (available as f64 * PART) as usize;
    let train = data.train();
    let (rows, classes) = (train.rows() + data.trusted().rows(), train.classes());
    let product = |factors: &[usize]| factors.iter().fold(1, |a: usize, &b| a.saturating_mul(b));
    let parameters = model.y_len(train.columns(), classes);
    let mut parts = vec![
        (
            format!("a model with {parameters} parameters"),
            product(&[OF_PARAMETERS, parameters, 4]),
        ),
        (
            format!("the probabilities of {classes} classes for {rows} rows"),
            product(&[OF_PROBABILITIES, rows, classes, 4]),
        ),
        (
            format!("which of {classes} classes is confused with which"),
            product(&[OF_MATRICES, classes, classes, 8]),
        ),
    ];
    let (what, activations) = match model {
        Model::Softmax => (None, 0),
        Model::Mlp { hidden } => (Some(format!("{hidden} hidden units")), hidden),
        Model::Network(_) => {
            let numbers = model.activations();
            let what = format!("the {numbers} numbers between the layers of {model}");
            (Some(what), numbers)
        }
    };
    if let Some(what) = what {
        parts.push((
            format!("{what} for {rows} rows"),
            product(&[OF_HIDDEN, rows, activations, 4]),
        ));
    }
    let needed = parts
        .iter()
        .fold(0, |sum: usize, part| sum.saturating_add(part.1));
    match parts.into_iter().max_by_key(|part| part.1) {
        Some((what, _)) if needed > available => Err(Error::Memory {
            what,
            needed,
            available,
        }),
        _ => Ok(()),
    }
}
