//! Who gave which label, as detectors use it.

use std::sync::Arc;

use bilevel::Key;

use crate::cleaning::CleaningData;
use crate::shuffle::shuffled;
use crate::stream::BASELINE;

/// Who gave which label.
pub(in crate::cleaning) struct Annotators {
    /// The annotator of each row to check and then of each trusted row: who would have labelled a trusted row is drawn as
    /// often as each labelled a row to check.
    pub(super) of_row: Arc<[u32]>,
    pub(super) count: usize,
}

/// The most numbers of all their matrices: those with the fewest rows share one where there are more.
const MOST: usize = 1 << 24;

/// Separates the draw of annotators from other draws of its stream.
const DRAWN: u64 = 300;

impl Annotators {
    /// Those of the data, if it has any.
    pub(super) fn of(data: &CleaningData, key: Key) -> Option<Self> {
        let annotators = data.annotators()?;
        let classes = data.train().classes();
        let names = annotators.names().len();
        let most = (MOST / (classes * classes).max(1)).max(1);
        let mut rows_of = vec![0_usize; names];
        for &annotator in annotators.of_rows() {
            rows_of[annotator as usize] += 1;
        }
        let mut order: Vec<usize> = (0..names).collect();
        order.sort_by_key(|&annotator| std::cmp::Reverse(rows_of[annotator]));
        let mut number = vec![0_u32; names];
        for (place, annotator) in order.into_iter().enumerate() {
            number[annotator] = place.min(most - 1) as u32;
        }
        let of_rows = annotators.of_rows().iter();
        let mut of_row: Vec<u32> = of_rows.map(|&own| number[own as usize]).collect();
        let mut sorted = of_row.clone();
        sorted.sort_unstable();
        let trusted = data.trusted().rows();
        let places = shuffled(trusted, key.stream(BASELINE).fold_in(DRAWN));
        of_row.extend(places.into_iter().map(|place| {
            // Evenly spaced.
            sorted[(2 * place + 1) * sorted.len() / (2 * trusted)]
        }));
        Some(Self {
            of_row: of_row.into(),
            count: names.min(most),
        })
    }
}
