//! Where models contradict labels.

use crate::model::predictions;

/// The share of contradicted labels among the surest rows, as a part of that among all: measured up to .21 where mistakes were
/// made at the boundary of classes (40 % of MNIST; else up to .13), and from .26 on where a matrix made at least 5 %. Where
/// models are as poor as on CIFAR-10 it is above .7 in any case.
const RATIO: f64 = 0.235;

/// The surest rows are one of so many.
const SUREST: usize = 3;

/// Whether nearly all labels that models of other rows contradict are where these models are unsure (probabilities: rows, or
/// more, × classes). A matrix of noise does not explain that: by it, labels of the surest rows are wrong as often as others.
pub(super) fn contradicted_where_unsure(
    probabilities: &[f32],
    labels: &[u32],
    classes: usize,
) -> bool {
    let predicted = predictions(&probabilities[..labels.len() * classes], classes);
    let sure = |row: &usize| probabilities[row * classes + predicted[*row] as usize];
    let mut rows: Vec<usize> = (0..labels.len()).collect();
    rows.sort_by(|a, b| sure(b).total_cmp(&sure(a)));
    let contradicted = |rows: &[usize]| {
        let contradicted = rows.iter().filter(|&&row| predicted[row] != labels[row]);
        contradicted.count() as f64 / rows.len().max(1) as f64
    };
    contradicted(&rows[..rows.len() / SUREST]) < RATIO * contradicted(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two classes, the first surest; every tenth label among them is wrong, or as many of the last ones.
    #[test]
    fn mistakes_at_the_boundary_are_told_from_others() {
        let rows = 300;
        let probabilities: Vec<f32> = (0..rows)
            .flat_map(|row| {
                let sure = 1.0 - 0.49 * row as f32 / rows as f32;
                [sure, 1.0 - sure]
            })
            .collect();
        let of = |wrong: &dyn Fn(usize) -> bool| {
            let labels: Vec<u32> = (0..rows).map(|row| u32::from(wrong(row))).collect();
            contradicted_where_unsure(&probabilities, &labels, 2)
        };
        assert!(!of(&|row| row % 10 == 0));
        assert!(of(&|row| row >= 270));
        // Few in the surest third: 3 of 100, and 33 of 300.
        assert!(!of(&|row| !(3..270).contains(&row)));
        assert!(of(&|row| !(2..270).contains(&row)));
        assert!(!of(&|_| false));
    }
}
