//! Sums of products, with letters for axes.

use std::panic::Location;

use crate::trace::{Place, Var};

/// An operand with one letter for each of its axes.
struct Term<'t> {
    var: Var<'t>,
    letters: Vec<char>,
}

impl<'t> Var<'t> {
    /// The einsum of `self` and `others`. `letters` has a letter for each axis of each operand and, after the arrow,
    /// those of the result; letters that the result does not have are summed over. "ij,jk->ik" is the matrix product,
    /// "bij,bj->bi" a matrix–vector product for each b, "ij->ji" the transpose, "ij->" the sum. The operands are
    /// multiplied from left to right, each pair as a matrix product.
    ///
    /// A letter may occur only once in each operand, and the arrow is required.
    #[track_caller]
    #[must_use]
    pub fn einsum(self, letters: &str, others: &[Self]) -> Self {
        let place = Location::caller();
        let refused = |expected: &str| self.refused(place, "einsum", others, expected);
        let Some((inputs, output)) = letters.split_once("->") else {
            return refused("letters such as \"ij,jk->ik\"");
        };
        let output: Vec<char> = output.trim().chars().collect();
        let inputs: Vec<Vec<char>> = inputs
            .split(',')
            .map(|one| one.trim().chars().collect())
            .collect();
        let all: Vec<Var<'t>> = std::iter::once(self)
            .chain(others.iter().copied())
            .collect();
        if all.iter().any(|var| var.id.is_none()) {
            return all.into_iter().find(|var| var.id.is_none()).unwrap_or(self);
        }
        let ranks = all.iter().map(|var| var.shape().len());
        if inputs.len() != all.len() || !ranks.eq(inputs.iter().map(Vec::len)) {
            return refused("a letter for each axis of each operand");
        }
        let twice =
            |letters: &[char]| (1..letters.len()).any(|i| letters[..i].contains(&letters[i]));
        if twice(&output) || inputs.iter().any(|letters| twice(letters)) {
            return refused("each letter once for each operand and in the result");
        }
        let mut sizes: Vec<(char, usize)> = Vec::new();
        for (var, letters) in all.iter().zip(&inputs) {
            for (&letter, size) in letters.iter().zip(var.shape()) {
                match sizes.iter().find(|(known, _)| *known == letter) {
                    Some(&(_, known)) if known != size => {
                        return refused("the same size for the same letter");
                    }
                    Some(_) => {}
                    None => sizes.push((letter, size)),
                }
            }
        }
        let known = |letter: &char| sizes.iter().any(|(other, _)| other == letter);
        if !output.iter().all(known) {
            return refused("letters of operands in the result");
        }
        let mut terms = all
            .into_iter()
            .zip(inputs.iter().cloned())
            .map(|(var, letters)| Term { var, letters });
        let Some(mut product) = terms.next() else {
            return refused("an operand");
        };
        for (number, term) in terms.enumerate() {
            let later = &inputs[number + 2..];
            let wanted = |letter: &char| {
                output.contains(letter) || later.iter().any(|one| one.contains(letter))
            };
            product = pair(place, product, term, wanted);
        }
        product = summed(place, product, |letter| output.contains(letter));
        ordered(place, &product, &output).var
    }
}

/// Sums over the letters that are not wanted.
fn summed<'t>(place: Place, term: Term<'t>, wanted: impl Fn(&char) -> bool) -> Term<'t> {
    let axes: Vec<usize> = (0..term.letters.len())
        .filter(|&axis| !wanted(&term.letters[axis]))
        .collect();
    if axes.is_empty() {
        return term;
    }
    let var = term.var.summed_away(place, &axes);
    let letters = term.letters.into_iter().filter(wanted).collect();
    Term { var, letters }
}

/// The value of the term with its letters in this order.
fn ordered<'t>(place: Place, term: &Term<'t>, letters: &[char]) -> Term<'t> {
    let axes: Vec<usize> = letters
        .iter()
        .filter_map(|letter| term.letters.iter().position(|own| own == letter))
        .collect();
    Term {
        var: term.var.reordered(place, &axes),
        letters: letters.to_vec(),
    }
}

/// The product of two terms, with the wanted letters: first those of both, then those of each.
fn pair<'t>(place: Place, a: Term<'t>, b: Term<'t>, wanted: impl Fn(&char) -> bool) -> Term<'t> {
    let (in_a, in_b) = (a.letters.clone(), b.letters.clone());
    let a = summed(place, a, |letter| wanted(letter) || in_b.contains(letter));
    let b = summed(place, b, |letter| wanted(letter) || in_a.contains(letter));
    let both: Vec<char> = a
        .letters
        .iter()
        .copied()
        .filter(|l| b.letters.contains(l))
        .collect();
    let batch: Vec<char> = both.iter().copied().filter(&wanted).collect();
    let inner: Vec<char> = both.into_iter().filter(|letter| !wanted(letter)).collect();
    let only = |own: &[char], other: &[char]| -> Vec<char> {
        own.iter().copied().filter(|l| !other.contains(l)).collect()
    };
    let (rows, columns) = (only(&a.letters, &b.letters), only(&b.letters, &a.letters));
    let a = ordered(place, &a, &[&batch[..], &rows, &inner].concat());
    let b = ordered(place, &b, &[&batch[..], &inner, &columns].concat());
    let (of_a, of_b) = (a.var.shape(), b.var.shape());
    let split = batch.len();
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let (m, n) = (
        &of_a[split..split + rows.len()],
        &of_b[split + inner.len()..],
    );
    let k = size(&of_a[split + rows.len()..]);
    let matrix = |var: Var<'t>, rows: usize, columns: usize| {
        var.reshaped(place, [&of_a[..split], &[rows, columns]].concat())
    };
    let product = matrix(a.var, size(m), k).multiplied(place, matrix(b.var, k, size(n)));
    Term {
        var: product.reshaped(place, [&of_a[..split], m, n].concat()),
        letters: [batch, rows, columns].concat(),
    }
}
