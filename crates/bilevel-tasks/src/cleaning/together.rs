//! Rows that stay together where rows are split: a model is not judged on rows of a group that it saw.

use std::collections::BTreeMap;

use bilevel::Key;

use crate::shuffle::shuffled;

/// The group of each row, if rows belong together.
#[derive(Clone, Copy)]
pub(super) struct Together<'a>(pub(super) Option<&'a [u32]>);

impl Together<'_> {
    /// 0..rows in an order drawn from `key`, in which the rows of a group stand together.
    pub(super) fn shuffled(self, rows: usize, key: Key) -> Vec<usize> {
        let Some(of) = self.0 else {
            return shuffled(rows, key);
        };
        let mut places: BTreeMap<u32, usize> = of.iter().map(|&group| (group, 0)).collect();
        let order = shuffled(places.len(), key);
        for (place, number) in places.values_mut().zip(order) {
            *place = number;
        }
        let mut all: Vec<usize> = (0..rows).collect();
        all.sort_by_key(|&row| places.get(&of[row]).copied());
        all
    }

    /// Where this order may be cut, so that at least `first` rows come before: between two groups, if there are rows of
    /// several groups.
    pub(super) fn cut(self, order: &[usize], first: usize) -> usize {
        let first = first.min(order.len());
        let Some(of) = self.0 else {
            return first;
        };
        let same = |&at: &usize| at > 0 && at < order.len() && of[order[at]] == of[order[at - 1]];
        let cut = (first..=order.len()).find(|at| !same(at)).unwrap_or(first);
        if cut < order.len() {
            return cut;
        }
        // Rows are to be left behind the cut.
        (1..first).rev().find(|at| !same(at)).unwrap_or(first)
    }

    /// The rows of each fold, in an order drawn from `key`.
    pub(super) fn parts(self, rows: usize, folds: usize, key: Key) -> Vec<Vec<usize>> {
        let order = self.shuffled(rows, key);
        let Some(of) = self.0 else {
            let part = |fold| order.iter().skip(fold).step_by(folds).copied().collect();
            return (0..folds).map(part).collect();
        };
        let mut parts = vec![Vec::new(); folds];
        for group in order.chunk_by(|&a, &b| of[a] == of[b]) {
            if let Some(smallest) = parts.iter_mut().min_by_key(|part| part.len()) {
                smallest.extend_from_slice(group);
            }
        }
        parts
    }

    /// The fold of each of these rows.
    pub(super) fn folds(self, rows: usize, folds: usize, key: Key) -> Vec<u8> {
        let mut of_rows = vec![0; rows];
        for (fold, part) in self.parts(rows, folds, key).into_iter().enumerate() {
            part.into_iter().for_each(|row| of_rows[row] = fold as u8);
        }
        of_rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_not_cut() {
        let of = [0, 0, 1, 2, 2, 2, 3, 4, 4, 1];
        let (together, key) = (Together(Some(&of)), Key::from_seed(3));
        let order = together.shuffled(of.len(), key);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..of.len()).collect::<Vec<_>>());
        for first in 1..of.len() {
            let cut = together.cut(&order, first);
            assert!(cut > 0 && cut < of.len());
            assert_ne!(of[order[cut - 1]], of[order[cut]], "{order:?} at {cut}");
        }
        let folds = together.folds(of.len(), 3, key);
        for (row, group) in of.iter().enumerate() {
            let first = of.iter().position(|other| other == group).unwrap();
            assert_eq!(folds[row], folds[first]);
        }
        let size = |fold| folds.iter().filter(|&&own| own == fold).count();
        assert!((0..3).all(|fold| size(fold) >= 2), "{folds:?}");
    }

    #[test]
    fn one_group_is_cut_all_the_same() {
        let together = Together(Some(&[7, 7, 7]));
        let order = together.shuffled(3, Key::from_seed(0));
        assert_eq!(together.cut(&order, 1), 1);
    }
}
