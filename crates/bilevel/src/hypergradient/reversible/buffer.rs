//! Multiplication of integers by a ratio below 1, without losing a bit.

use super::ratio::Ratio;

/// Where the digits go that m integers lose when they are multiplied by n/d < 1, so that they can come
/// back (algorithm 3 of arXiv 1502.03492).
///
/// Of v = q d + a the remainder a is put into an integer i ← i d + a of unlimited length, one for each v, and
/// what v lacks below q n is taken out of it: v ← q n + (i mod n), i ← i div n. Every operation can be
/// undone. Each step makes i longer by log₂(d/n) bits. The integers are kept as 64 bits, of which the
/// lower 32 move to a stack, for all at once, whenever one of them might overflow.
pub(super) struct InformationBuffer {
    numerator: u64,
    denominator: u64,
    /// What of the integers is not on the stack.
    held: Vec<u64>,
    /// All of `held` are below this.
    bound: u64,
    stack: Vec<u32>,
    /// For each time that all moved to the stack: the step, and the bound before it.
    moves: Vec<(usize, u64)>,
    steps: usize,
}

const WORD: u32 = 32;

impl InformationBuffer {
    /// Room for `steps` multiplications of `len` numbers by n/d < 1, both below 2³¹.
    pub(super) fn new(ratio: Ratio, len: usize, steps: usize) -> Self {
        let mut buffer = Self {
            numerator: ratio.numerator.into(),
            denominator: ratio.denominator.into(),
            held: vec![0; len],
            bound: 1,
            stack: vec![],
            moves: vec![],
            steps: 0,
        };
        let moves = (0..steps).filter(|_| buffer.grow().is_some()).count();
        buffer.bound = 1;
        buffer.stack.reserve_exact(moves * len);
        buffer.moves.reserve_exact(moves);
        buffer
    }

    /// How many bits there is room for.
    pub(super) fn bits(&self) -> usize {
        64 * self.held.len() + WORD as usize * self.stack.capacity()
    }

    /// Whether everything that was put in was taken out again.
    pub(super) fn is_empty(&self) -> bool {
        self.stack.is_empty() && self.held.iter().all(|&held| held == 0)
    }

    /// The bound after one more step; and the one before, where all have to move first.
    fn grow(&mut self) -> Option<u64> {
        let before = self.bound;
        let moves = before > u64::MAX / self.denominator;
        if moves {
            self.bound = ((before - 1) >> WORD) + 1;
        }
        self.bound = (self.bound * self.denominator - 1) / self.numerator + 1;
        moves.then_some(before)
    }

    /// v ← v · n/d, rounded, for each of `values`.
    pub(super) fn multiply(&mut self, values: &mut [i64]) {
        if let Some(before) = self.grow() {
            self.moves.push((self.steps, before));
            for held in &mut self.held {
                self.stack.push(*held as u32);
                *held >>= WORD;
            }
        }
        self.steps += 1;
        for (value, held) in values.iter_mut().zip(&mut self.held) {
            *value = rescale(*value, held, self.denominator, self.numerator);
        }
    }

    /// Undoes the last [`InformationBuffer::multiply`] that was not undone.
    pub(super) fn undo(&mut self, values: &mut [i64]) {
        for (value, held) in values.iter_mut().zip(&mut self.held) {
            *value = rescale(*value, held, self.numerator, self.denominator);
        }
        self.steps -= 1;
        if let Some((_, before)) = self.moves.pop_if(|(step, _)| *step == self.steps) {
            self.bound = before;
            let words = self.stack.drain(self.stack.len() - self.held.len()..);
            for (held, word) in self.held.iter_mut().zip(words) {
                *held = (*held << WORD) | u64::from(word);
            }
        }
    }
}

/// The remainder of v by `from` goes to the integer, one by `to` comes from there. Nothing overflows
/// but on a way back that is not the way there, where everything is wrong in any case.
fn rescale(value: i64, held: &mut u64, from: u64, to: u64) -> i64 {
    let remainder = value.rem_euclid(from as i64);
    let sum = held.wrapping_mul(from).wrapping_add(remainder as u64);
    *held = sum / to;
    let whole = value.div_euclid(from as i64).wrapping_mul(to as i64);
    whole.wrapping_add((sum % to) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_multiplication_can_be_undone(
            start in prop::collection::vec(-(1_i64 << 60)..1 << 60, 1..5),
            added in prop::collection::vec(-(1_i64 << 40)..1 << 40, 1..700),
            denominator in 2..2000_u32,
            share in 0.01..1.0_f64,
        ) {
            let numerator = ((f64::from(denominator) * share) as u32).clamp(1, denominator - 1);
            let mut buffer = InformationBuffer::new(Ratio { numerator, denominator }, start.len(), added.len());
            let room = buffer.bits();
            let mut values = start.clone();
            let mut trajectory = vec![];
            for &added in &added {
                trajectory.push(values.clone());
                let before = values.clone();
                buffer.multiply(&mut values);
                for (value, &before) in values.iter().zip(&before) {
                    let exact = i128::from(before) * i128::from(numerator) / i128::from(denominator);
                    prop_assert!((i128::from(*value) - exact).abs() <= i128::from(numerator));
                }
                values.iter_mut().for_each(|value| *value += added);
            }
            prop_assert_eq!(buffer.bits(), room);
            for &added in added.iter().rev() {
                values.iter_mut().for_each(|value| *value -= added);
                buffer.undo(&mut values);
                prop_assert_eq!(&values, &trajectory.pop().unwrap());
            }
            prop_assert!(buffer.is_empty());
        }
    }

    /// log₂(d/n) bits for each number and step, and at most the 64 that are always there.
    #[test]
    fn the_price_in_bits() {
        const STEPS: usize = 20_000;
        for (numerator, denominator) in [(9_u32, 10_u32), (1, 2), (99, 100), (3, 7)] {
            let buffer = InformationBuffer::new(
                Ratio {
                    numerator,
                    denominator,
                },
                3,
                STEPS,
            );
            let each = buffer.bits() as f64 / (3 * STEPS) as f64;
            let theory = (f64::from(denominator) / f64::from(numerator)).log2();
            assert!(
                each >= theory && each < theory + 70.0 / STEPS as f64,
                "{numerator}/{denominator}: {each} bits, {theory} in theory"
            );
        }
    }
}
