//! The contents of a checkpoint of a cleaning run.

use super::{CleaningData, Progress};
use crate::checkpoint::{Fingerprint, JobCheckpoint};
use crate::data::{Dataset, FeatureValues};

/// A cleaning run between two steps: everything needed to continue it bit for bit, or, for
/// a finished run, what it printed.
///
/// ```
/// use bilevel_tasks::cleaning::CleaningCheckpoint;
/// let problem = CleaningCheckpoint::decode(b"PK\x03\x04, some archive").unwrap_err();
/// assert!(problem.to_string().starts_with("expected a checkpoint"));
/// ```
pub type CleaningCheckpoint<'a> = JobCheckpoint<'a, Progress<f32>>;

impl CleaningData {
    /// Whether these are the same rows in the same order with the same labels.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut print = Fingerprint::default();
        let rows = self.train_rows().iter();
        print.list(rows.map(|&row| (row as u64).to_le_bytes()));
        let truth = self.true_labels().unwrap_or_default().iter();
        print.list(truth.map(|&label| u64::from(label).to_le_bytes()));
        add(&mut print, self.train());
        add(&mut print, self.trusted());
        if let Some(annotators) = self.annotators() {
            add_numbers(&mut print, annotators.of_rows());
        }
        if let Some(groups) = self.groups() {
            add_numbers(&mut print, groups);
        }
        let others = self.test().into_iter().chain(self.unlabelled());
        others.for_each(|data| add(&mut print, data));
        print.finish()
    }
}

fn add_numbers(print: &mut Fingerprint, numbers: &[u32]) {
    let numbers = numbers.iter();
    print.list(numbers.map(|&number| u64::from(number).to_le_bytes()));
}

fn add(print: &mut Fingerprint, data: &Dataset) {
    let shape = [data.rows(), data.columns(), data.classes()];
    print.list(shape.iter().map(|&length| (length as u64).to_le_bytes()));
    let bits = |value: &f32| u64::from(value.to_bits()).to_le_bytes();
    match data.values() {
        FeatureValues::Dense(values) => print.list(values.iter().map(bits)),
        FeatureValues::Sparse(sparse) => {
            print.list(
                sparse
                    .starts
                    .iter()
                    .map(|&start| (start as u64).to_le_bytes()),
            );
            print.list(
                sparse
                    .columns
                    .iter()
                    .map(|&column| u64::from(column).to_le_bytes()),
            );
            print.list(sparse.values.iter().map(bits));
        }
    }
    add_numbers(print, data.labels());
    for name in data.class_names() {
        print.text(name);
    }
}

#[cfg(test)]
mod tests {
    use bilevel::Memory;

    use crate::checkpoint::{decode, encode};

    /// Parts of parts, as deep as asked for.
    fn nested(depth: usize) -> Memory<f32> {
        let mut memory = Memory::default();
        let mut deepest = &mut memory;
        for level in 0..depth {
            deepest.set_number("level", level as f64);
            deepest = deepest.part("a");
        }
        memory
    }

    #[test]
    fn parts_of_parts_are_read_as_deep_as_methods_are() {
        let memory = nested(16);
        let bytes = encode(&memory).unwrap();
        assert_eq!(decode::<Memory<f32>>(&bytes).unwrap(), memory);
        // Not so deep that the stack ends: 4 bytes are a level.
        let deep: Vec<u8> = [0, 0, 1, 0].repeat(1_000_000);
        let payload = Raw(deep);
        let error = decode::<Memory<f32>>(&encode(&payload).unwrap()).unwrap_err();
        assert!(
            error.to_string().contains("Serde"),
            "expected a refusal of what is nested too deep, found: {error}"
        );
    }

    /// Bytes that are the payload.
    struct Raw(Vec<u8>);

    impl serde::Serialize for Raw {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            let mut tuple = to.serialize_tuple(self.0.len())?;
            self.0
                .iter()
                .try_for_each(|byte| tuple.serialize_element(byte))?;
            tuple.end()
        }
    }
}
