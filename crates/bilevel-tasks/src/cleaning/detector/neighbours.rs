//! The labels of the rows nearest to each row.

use std::cmp::Ordering;
use std::ops::{Range, RangeInclusive};

use bilevel::Layout;
use bilevel_autodiff::Function;
use rayon::prelude::*;

use super::detected::Detected;
use super::judging::{Detector, DetectorPage};
use super::trials::Trials;
use crate::Error;
use crate::cleaning::CleaningData;
use crate::data::Dataset;
use crate::model::Examples;
use crate::shuffle::shuffled;
use crate::stream::BASELINE;

/// Ranks by the share of the nearest other rows that have the given label. How many of them count is what predicts the
/// labels best. Wilson, 1972, edits a training set so.
pub(super) struct Neighbours;

/// How many rows may count.
const COUNTS: [usize; 4] = [5, 10, 20, 40];
const MOST: usize = COUNTS[COUNTS.len() - 1];

/// So many are kept before those that are too far are dropped.
const CONSIDERED: usize = 64;

/// As many rows more have the classes that are frequent, so that no class is impossible.
const PRIOR: f64 = 1.0;

/// The most multiplications of all distances: some seconds of two cores. With more rows, neighbours are looked for among a
/// part of them. To choose among distances takes as long as so many multiplications each.
const PRODUCTS: f64 = 1e11;
const CHOOSING: usize = 64;

/// So many rows say how many neighbours are to count.
const ENOUGH: usize = 4096;

/// Rows whose distances are computed at once, and known rows to which, with about so many numbers: no copy of all features is
/// needed.
const BLOCK: usize = 256;
const PARTS: RangeInclusive<usize> = 128..=512;
const PART_NUMBERS: usize = 1 << 16;

/// Rows for which a part of the known rows is prepared once.
const ROUND: usize = 1024;

/// Known rows that are written side by side: a line of the cache.
const TILE: usize = 16;

/// No fewer rows are known, if there are as many.
const LEAST: usize = 512;

/// Separates its draw from other draws of the stream.
const DRAWN: u64 = 500;

impl Detector for Neighbours {
    fn page(&self) -> DetectorPage {
        DetectorPage {
            name: "nearest-neighbours",
            summary: "keeps a row if most of the rows nearest to it have its label",
            how: "The rows nearest to each row, the trusted ones among them, vote by their labels. A row is kept if its label has the most\nvotes.",
            reference: "Wilson, 1972",
            needs_trusted: false,
        }
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        let classes = trials.classes();
        let (train, trusted) = (trials.data().train(), trials.data().trusted());
        let rows = train.rows() + trusted.rows();
        let count = trials.neighbours(|whole| Search::of(whole).best_count())?;
        let search = Search::of(trials);
        let mut probabilities = Vec::with_capacity(rows * classes);
        let mut judged = vec![(train, 0), (trusted, train.rows())];
        if trials.holds_out() {
            // Nobody asks for the rows to check.
            judged.remove(0);
            probabilities.resize(train.rows() * classes, 0.0);
        }
        for (data, first) in judged {
            let all: Vec<usize> = (0..data.rows()).collect();
            search.each(data, first, &all, &mut |_, labels| {
                let shares = search.shares(labels, count);
                probabilities.extend(shares.into_iter().map(|p| p as f32));
            })?;
        }
        Ok(trials.detected(probabilities.into()))
    }
}

/// A search for the neighbours of rows.
struct Search<'s> {
    trials: &'s Trials<'s>,
    known: Known,
    distances: Distances,
    /// By class.
    prior: Vec<f64>,
    /// Known rows to which distances are computed at once.
    part: usize,
}

impl<'s> Search<'s> {
    fn of(trials: &'s Trials<'s>) -> Self {
        let known = Known::of(trials);
        let mut prior = vec![0.0; trials.classes()];
        for &label in &known.labels {
            prior[label as usize] += PRIOR / known.labels.len() as f64;
        }
        let part = PART_NUMBERS / (trials.data().train().columns() + 1);
        Self {
            trials,
            known,
            distances: Distances::new(),
            prior,
            part: part.clamp(*PARTS.start(), *PARTS.end()),
        }
    }

    /// How many neighbours predict given labels best.
    fn best_count(&self) -> Result<usize, Error> {
        let train = self.trials.data().train();
        let mut some = shuffled(train.rows(), self.trials.trainer().key.stream(BASELINE));
        some.truncate(ENOUGH);
        let mut surprises = [0.0; COUNTS.len()];
        self.each(train, 0, &some, &mut |row, labels| {
            let given = self.trials.given()[row] as usize;
            for (surprise, count) in surprises.iter_mut().zip(COUNTS) {
                *surprise -= self.shares(labels, count)[given].ln();
            }
        })?;
        let best = (0..COUNTS.len()).min_by(|&a, &b| surprises[a].total_cmp(&surprises[b]));
        Ok(COUNTS[best.unwrap_or(0)])
    }

    /// Calls `see` with each of these rows of the data, whose first row is row `first` of all, and the labels of the rows
    /// nearest to it, the nearest first.
    fn each(
        &self,
        data: &Dataset,
        first: usize,
        rows: &[usize],
        see: &mut dyn FnMut(usize, &[u32]),
    ) -> Result<(), Error> {
        let (groups, known) = (self.trials.data().groups(), &self.known);
        for round in rows.chunks(ROUND) {
            let new = || Nearest::with_capacity(CONSIDERED);
            let mut nearest: Vec<Nearest> = round.iter().map(|_| new()).collect();
            for part in (0..known.rows.len()).step_by(self.part) {
                let part = part..known.rows.len().min(part + self.part);
                let numbers = known.numbers(self.trials.data(), part.clone());
                for (block, nearest) in round.chunks(BLOCK).zip(nearest.chunks_mut(BLOCK)) {
                    self.trials.expect_time()?;
                    let features = data.select(block)?;
                    let distances = self.distances.of(&features, &numbers, part.len())?;
                    nearest
                        .par_iter_mut()
                        .zip(block)
                        .zip(distances.par_chunks_exact(part.len()))
                        .for_each(|((nearest, &row), distances)| {
                            let row = (first + row, groups);
                            known.add(nearest, row, part.start, distances);
                        });
                }
            }
            for (&row, mut nearest) in round.iter().zip(nearest) {
                nearest.sort_unstable_by(nearer);
                let labels = nearest
                    .iter()
                    .map(|&(_, place)| known.labels[place as usize]);
                see(row, &labels.collect::<Vec<u32>>());
            }
        }
        Ok(())
    }

    /// The share of each class among the first `count` of these labels, and of what is known before.
    fn shares(&self, labels: &[u32], count: usize) -> Vec<f64> {
        let labels = &labels[..count.min(labels.len())];
        let all = PRIOR + labels.len() as f64;
        let mut shares: Vec<f64> = self.prior.iter().map(|prior| prior / all).collect();
        let add = |&label: &u32| shares[label as usize] += 1.0 / all;
        labels.iter().for_each(add);
        shares
    }
}

/// The rows among which neighbours are looked for.
struct Known {
    /// Rows to check, then trusted rows, as in the trials.
    rows: Vec<usize>,
    labels: Vec<u32>,
}

impl Known {
    fn of(trials: &Trials<'_>) -> Self {
        let (train, key) = (trials.data().train(), trials.trainer().key);
        let row = train.row_work();
        let most = PRODUCTS / (train.rows() as f64 * (row + CHOOSING) as f64);
        let mut rows: Vec<usize> = (0..train.rows()).collect();
        if most < train.rows() as f64 {
            rows = shuffled(train.rows(), key.stream(BASELINE).fold_in(DRAWN));
            rows.truncate((most as usize).max(LEAST));
            rows.sort_unstable();
        }
        let mut labels: Vec<u32> = rows.iter().map(|&row| trials.given()[row]).collect();
        for (row, label) in trials.trusted() {
            rows.push(train.rows() + row);
            labels.push(label);
        }
        Self { rows, labels }
    }

    /// −2 × the features of these rows, column by column, then their squared lengths.
    fn numbers(&self, data: &CleaningData, part: Range<usize>) -> Vec<f32> {
        let (train, trusted) = (data.train(), data.trusted());
        let (rows, columns) = (part.len(), train.columns());
        let mut numbers = vec![0.0; (columns + 1) * rows];
        for (tile, first) in self.rows[part].chunks(TILE).zip((0..).step_by(TILE)) {
            let own = tile.iter().map(|&row| match row.checked_sub(train.rows()) {
                None => train.row(row),
                Some(row) => trusted.row(row),
            });
            let own: Vec<_> = own.collect();
            let mut squares = [0.0; TILE];
            for column in 0..columns {
                let to = &mut numbers[column * rows + first..][..tile.len()];
                for ((to, own), square) in to.iter_mut().zip(&own).zip(&mut squares) {
                    let value = own[column];
                    *to = -2.0 * value;
                    *square += f64::from(value * value);
                }
            }
            let to = &mut numbers[columns * rows + first..][..tile.len()];
            for (to, square) in to.iter_mut().zip(squares) {
                *to = square as f32;
            }
        }
        numbers
    }

    /// Adds known rows from `start` on, at these distances, to those nearest to a row: not itself, and not its group.
    fn add(
        &self,
        nearest: &mut Nearest,
        (row, groups): (usize, Option<&[u32]>),
        start: usize,
        distances: &[f32],
    ) {
        let apart =
            |other: usize| other != row && groups.is_none_or(|groups| groups[other] != groups[row]);
        // The last one is the farthest.
        let farthest = nearest.get(MOST - 1).map(|&(distance, _)| distance);
        let near = |distance: f32| farthest.is_none_or(|farthest| distance <= farthest);
        let places = (start..).zip(distances);
        let new = places.filter(|&(place, &d)| near(d) && apart(self.rows[place]));
        for (place, &distance) in new {
            if nearest.len() == CONSIDERED {
                keep_nearest(nearest);
            }
            nearest.push((distance, place as u32));
        }
        keep_nearest(nearest);
    }
}

/// Distances and places of known rows; where there are as many as may count, the last one is the farthest.
type Nearest = Vec<(f32, u32)>;

/// As many as may count.
fn keep_nearest(nearest: &mut Nearest) {
    if nearest.len() > MOST {
        nearest.select_nth_unstable_by(MOST - 1, nearer);
        nearest.truncate(MOST);
    }
}

fn nearer(a: &(f32, u32), b: &(f32, u32)) -> Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// Squared distances to known rows, without the part that is the same for all of them.
struct Distances {
    function: Function<f32>,
}

impl Distances {
    fn new() -> Self {
        Self {
            function: Function::new(|v| v.data("features").matmul(v.y("known")) + v.y("squares")),
        }
    }

    /// Rows × known rows, of which there are the numbers.
    fn of(&self, rows: &Dataset, numbers: &[f32], known: usize) -> Result<Vec<f32>, Error> {
        let none = Layout::new::<String>([]);
        let columns = rows.columns();
        let layout = Layout::new([("known", vec![columns, known]), ("squares", vec![known])]);
        let data = Examples::new(rows).data();
        self.function
            .evaluate((&none, &[]), (&layout, numbers), data)
            .map_err(|error| Error::Method(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use bilevel::Key;

    use super::*;
    use crate::cleaning::split::{CleaningData, Split};
    use crate::data::digits::digits;
    use crate::data::groups::Groups;
    use crate::model::Model;
    use crate::train::Trainer;

    /// The votes are those of a search without blocks and products.
    #[test]
    fn the_nearest_rows_vote() {
        let split = Split {
            train: 600,
            trusted: 30,
            test: 0,
        };
        let key = Key::from_seed(1);
        let plain = CleaningData::draw(&digits(), split, None, key).unwrap();
        let names: Vec<String> = (0..630).map(|row| (row / 7).to_string()).collect();
        let groups = Groups::new(names.iter().map(String::as_str));
        let grouped = plain.clone().with_groups(groups).unwrap();
        // Where a trusted row is held out, only these are judged.
        let everywhere: &[usize] = &[0, 1, 300, 511, 512, 599, 600, 603, 629];
        let of_trusted: &[usize] = &[600, 603, 629];
        for (data, held, rows) in [
            (&plain, None, everywhere),
            (&plain, Some(3), of_trusted),
            (&grouped, None, everywhere),
            (&grouped, Some(3), of_trusted),
        ] {
            let trainer = Trainer {
                model: Model::Softmax,
                steps: 5,
                weight_decay: 0.0,
                key,
                deadline: crate::Deadline::default(),
            };
            let trials = Trials::new(data, trainer, 600).unwrap();
            let trials = match held {
                Some(held) => trials.without(&[held]),
                None => trials,
            };
            let detected = Neighbours.detect(&trials).unwrap();
            let all: Vec<Vec<f64>> = (0..630_usize)
                .map(|row| match row.checked_sub(600) {
                    None => data.train().row(row).iter().map(|&v| v.into()).collect(),
                    Some(row) => data.trusted().row(row).iter().map(|&v| v.into()).collect(),
                })
                .collect();
            let labels = [data.train().labels(), data.trusted().labels()].concat();
            let votes = |row: usize, count: usize| {
                let apart = |other: &usize| {
                    let groups = data.groups();
                    let known = held.is_none_or(|held| *other != 600 + held);
                    *other != row && known && groups.is_none_or(|of| of[*other] != of[row])
                };
                let distance = |other: usize| -> f64 {
                    let pairs = all[row].iter().zip(&all[other]);
                    pairs.map(|(a, b)| (a - b).powi(2)).sum()
                };
                let mut others: Vec<usize> = (0..630).filter(apart).collect();
                others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
                let mut votes = [0_usize; 10];
                others[..count]
                    .iter()
                    .for_each(|&other| votes[labels[other] as usize] += 1);
                votes
            };
            let same = |count: usize| {
                rows.iter().all(|&row| {
                    let own = &detected.probabilities[row * 10..(row + 1) * 10];
                    let pairs = own.iter().zip(votes(row, count));
                    let all = PRIOR + count as f64;
                    let mut pairs = pairs.map(|(&p, votes)| f64::from(p) * all - votes as f64);
                    pairs.all(|prior| (0.0..0.3).contains(&prior))
                })
            };
            assert!(COUNTS.into_iter().any(same));
        }
    }
}
