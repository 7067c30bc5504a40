//! Trials of digits, for tests.

use bilevel::Key;

use super::Trials;
use crate::Deadline;
use crate::cleaning::CleaningData;
use crate::cleaning::split::Split;
use crate::corruption::{Corruption, CorruptionKind};
use crate::data::digits::digits;
use crate::model::Model;
use crate::train::Trainer;

pub(in crate::cleaning::detector) fn trainer() -> Trainer {
    Trainer {
        model: Model::Softmax,
        steps: 60,
        weight_decay: 0.0,
        key: Key::from_seed(7),
        deadline: Deadline::default(),
    }
}

/// This share of the labels of `train` rows is wrong in this way.
pub(in crate::cleaning::detector) fn drawn(
    train: usize,
    trusted: usize,
    kind: CorruptionKind,
    rate: f64,
) -> CleaningData {
    let split = Split {
        train,
        trusted,
        test: 0,
    };
    let corruption = Corruption { kind, rate };
    CleaningData::draw(&digits(), split, Some(&corruption), Key::from_seed(7)).unwrap()
}

/// The same with any other label.
pub(in crate::cleaning::detector) fn uniform(
    train: usize,
    trusted: usize,
    rate: f64,
) -> CleaningData {
    drawn(train, trusted, CorruptionKind::Uniform, rate)
}

pub(in crate::cleaning::detector) fn of(data: &CleaningData, trainer: Trainer) -> Trials<'_> {
    Trials::new(data, trainer, data.train().rows()).unwrap()
}
