//! How models are trained: what the rows choose that they do not see.

use std::sync::Arc;

use super::{Stage, Trials};
use crate::Error;
use crate::cleaning::detector::fitting::{Judged, Watched};
use crate::cleaning::detector::held::{Held, Mistakes, Part, clearly_lower};
use crate::cleaning::together::Together;
use crate::stream::BASELINE;
use crate::train::{MIDDLE, Side, Training, climb};

/// Share of the rows to check, and of the trusted rows, that choose how models are trained.
const HELD_OUT: f64 = 0.2;

/// About so many rows to check do so at most.
const MOST_HELD: f64 = 2000.0;

/// By so many standard errors a weaker ridge must be better. Matrices have learned from the model what they allow for.
const CLEARLY: f64 = 1.0;
const CLEARLY_BY_MATRICES: f64 = 2.0;

impl Trials<'_> {
    /// The trusted rows that choose how models are trained: by trusted row.
    pub(in crate::cleaning::detector) fn held_out(&self) -> Vec<bool> {
        let rows: Vec<usize> = self.trusted().map(|(row, _)| row).collect();
        let held = (rows.len() as f64 * HELD_OUT).ceil() as usize;
        let groups = self.groups_of(rows.iter().copied());
        let together = Together(groups.as_deref());
        let order = together.shuffled(rows.len(), self.shared.fitting.trainer.key.stream(BASELINE));
        let mut among = vec![false; self.used.len()];
        for &place in &order[..together.cut(&order, held)] {
            among[rows[place]] = true;
        }
        among
    }

    /// How models of the targets of a stage are trained best: found once with all trusted rows, so that trials take less time.
    pub(in crate::cleaning::detector) fn training_at(
        &self,
        stage: Stage,
        targets: &[f32],
        mistakes: Mistakes<'_>,
    ) -> Result<Training, Error> {
        let found = &self.shared.trainings[stage as usize];
        if let Some(training) = found.get() {
            return Ok(*training);
        }
        let training = self.training(targets, mistakes)?;
        if self.holds_out() {
            return Ok(training);
        }
        Ok(*found.get_or_init(|| training))
    }

    /// How models of these targets are trained best. Where rows are few for their columns: to the end, with the ridge that
    /// leaves the rows that are held out least surprising; a weaker one than for the given labels only if it is clearly
    /// better, as targets that come from models are easier to learn than what they stand for. Where rows are many, without
    /// a ridge.
    pub(in crate::cleaning::detector) fn training(
        &self,
        targets: &[f32],
        mistakes: Mistakes<'_>,
    ) -> Result<Training, Error> {
        let (fitting, held) = (&self.shared.fitting, self.held()?);
        if fitting.unit.is_none() {
            return Ok(fitting.watched(0.0, targets, held, mistakes)?.training);
        }
        let clearly = match mistakes {
            Mistakes::Of(_) => CLEARLY_BY_MATRICES,
            Mistakes::Ignored | Mistakes::AtRandom => CLEARLY,
        };
        let (place, _) = self.given_best()?;
        let of = |factor| fitting.to_the_end(factor, targets, held, mistakes);
        let better = |found: &Judged, best: &Judged, side| match side {
            // Where the time ended it, nothing is known.
            Side::Stronger => !found.surprise.is_empty() && found.mean() < best.mean(),
            Side::Weaker => clearly_lower(&found.surprise, &best.surprise, clearly),
        };
        Ok(climb(place, of, better)?.1.training)
    }

    /// How models of the given labels are trained best, and the place of their ridge.
    pub(super) fn given_best(&self) -> Result<(usize, Training), Error> {
        if let Some(given) = self.shared.given.get() {
            return Ok(*given);
        }
        if self.holds_out() {
            return self.whole().given_best();
        }
        let (fitting, held) = (&self.shared.fitting, self.held()?);
        let targets = self.targets(|_| true);
        let of = |factor| fitting.watched(factor, &targets, held, Mistakes::Ignored);
        let (place, found) = match fitting.unit {
            None => (0, of(0.0)?),
            Some(_) => climb(MIDDLE, of, |found: &Watched, best, _| {
                found.least < best.least
            })?,
        };
        let given = (place, found.training);
        Ok(*self.shared.given.get_or_init(|| given))
    }

    /// The rows that choose how models are trained, some of each kind, and the number of rows to check. `None` if rows are
    /// many and none is trusted.
    fn held(&self) -> Result<Option<(&Held, usize)>, Error> {
        let fitting = &self.shared.fitting;
        if fitting.unit.is_none() && self.trusted().next().is_none() {
            return Ok(None);
        }
        if let Some(held) = self.held.get() {
            return Ok(Some((held, self.rows())));
        }
        let among = self.held_out();
        let trusted = (0..among.len()).filter(|&row| among[row]).collect();
        let held = Held {
            check: self.held_of_check()?,
            trusted: Part::of(self.shared.data.trusted(), trusted)?,
        };
        Ok(Some((self.held.get_or_init(|| held), self.rows())))
    }

    fn held_of_check(&self) -> Result<Arc<Part>, Error> {
        if let Some(held) = self.shared.held.get() {
            return Ok(Arc::clone(held));
        }
        let fitting = &self.shared.fitting;
        let together = Together(self.shared.data.groups());
        let order = together.shuffled(self.rows(), fitting.trainer.key.stream(BASELINE));
        let fitted = fitting.fitted.as_ref().map_or(self.rows(), Vec::len);
        let share = HELD_OUT.min(MOST_HELD / fitted.max(1) as f64);
        let share = (self.rows() as f64 * share).ceil() as usize;
        let mut check = order[..together.cut(&order, share)].to_vec();
        if let Some(fitted) = &fitting.fitted {
            check.retain(|row| fitted.binary_search(row).is_ok());
        }
        let held = Arc::new(Part::of(self.shared.data.train(), check)?);
        Ok(Arc::clone(self.shared.held.get_or_init(|| held)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{of, trainer, uniform};
    use super::*;
    use crate::cleaning::CleaningData;
    use crate::data::Dataset;
    use crate::train::{FACTORS, Trainer, unit};

    const AT_RANDOM: Mistakes<'_> = Mistakes::AtRandom;

    /// Trusted rows are held out besides, and their labels are not wrong.
    #[test]
    fn rows_of_both_kinds_are_held_out() {
        let data = uniform(500, 50, 0.3);
        let trials = of(&data, trainer());
        let held = trials.held().unwrap().unwrap().0;
        let rows: Vec<usize> = held.rows(500).collect();
        assert_eq!(rows.len(), 110);
        assert!(rows[..100].iter().all(|row| *row < 500));
        let trusted = rows[100..]
            .iter()
            .map(|row| data.trusted().labels()[row - 500]);
        assert!(trusted.eq(held.trusted.examples.labels().iter().copied()));
        let others = trials.without(&[0, 1]);
        let shared = &others.held().unwrap().unwrap().0.check;
        assert!(Arc::ptr_eq(&held.check, shared), "one copy for all trials");
        // What they share does not depend on who asks first.
        let first = of(&data, trainer()).without(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let of_part = (first.given_best().unwrap(), first.trusted_ridge().unwrap());
        let of_whole = (
            trials.given_best().unwrap(),
            trials.trusted_ridge().unwrap(),
        );
        assert_eq!(of_part, of_whole);
        // Beyond the rows that models are trained on, there is nothing to hold out.
        let fewer = Trials::new(&data, trainer(), 200).unwrap();
        let held = fewer.held().unwrap().unwrap().0;
        let fitted = fewer.shared.fitting.fitted.as_ref().unwrap();
        let rows: Vec<usize> = held.rows(500).collect();
        assert!(rows.iter().all(|row| fitted.contains(row)));
        assert!((30..80).contains(&rows.len()));
    }

    #[test]
    fn the_ridge_is_chosen_where_rows_are_few() {
        let data = uniform(300, 0, 0.4);
        let trials = of(&data, trainer());
        let unit = unit(data.train(), 300).unwrap();
        let ridges = FACTORS.map(|factor| factor * unit);
        let (place, given) = trials.given_best().unwrap();
        assert_eq!(given.ridge, ridges[place]);
        assert!(place > 0, "40 % of 300 labels are wrong");
        // What models say of all rows is easy to learn; the ridge is not much weaker all the same.
        let sure: Vec<f32> = trials.targets(|_| true);
        let own = trials.training(&sure, AT_RANDOM).unwrap();
        assert!(own.ridge >= ridges[place - 1] && own.steps == 60);
        // A weight decay is kept as it is; many rows need no ridge.
        let decayed = Trainer {
            weight_decay: 0.01,
            ..trainer()
        };
        assert_eq!(of(&data, decayed).given_best().unwrap().1.ridge, 0.0);
        let rows = 400;
        let features = (0..rows * 2).map(|i| ((i * 7919) as f32 * 0.618).sin());
        let labels = (0..rows).map(|row| (row % 2) as u32).collect();
        let names = vec!["a".to_owned(), "b".to_owned()];
        let many = Dataset::new(features.collect(), 2, labels, names).unwrap();
        let none = many.select(&[]).unwrap();
        let many = CleaningData::new(many, None, none, None).unwrap();
        let (_, training) = of(&many, trainer()).given_best().unwrap();
        assert_eq!((training.steps, training.ridge), (60, 0.0));
    }

    /// A search without time neither prefers a ridge nor fails.
    #[test]
    fn what_the_time_ended_chooses_nothing() {
        let data = uniform(300, 0, 0.4);
        let late = Trainer {
            deadline: crate::Deadline::within(Some(std::time::Duration::ZERO)),
            ..trainer()
        };
        let trials = of(&data, late);
        let middle = FACTORS[MIDDLE] * unit(data.train(), 300).unwrap();
        let (place, given) = trials.given_best().unwrap();
        assert_eq!((place, given.ridge), (MIDDLE, middle));
        let own = trials
            .training(&trials.targets(|_| true), AT_RANDOM)
            .unwrap();
        assert_eq!((own.ridge, own.steps), (middle, 60));
        assert_eq!(trials.cut_after(), Some(1));
    }

    #[test]
    fn groups_are_held_out_as_a_whole() {
        let plain = uniform(300, 40, 0.2);
        let group = |row: usize| row / 7;
        let names: Vec<String> = (0..340).map(|row| group(row).to_string()).collect();
        let groups = crate::data::groups::Groups::new(names.iter().map(String::as_str));
        let data = plain.with_groups(groups).unwrap();
        let trials = of(&data, trainer());
        let held = trials.held().unwrap().unwrap().0;
        let rows: Vec<usize> = held.rows(300).collect();
        assert!(rows.len() > 60);
        for (from, to) in [(0, 300), (300, 340)] {
            let is_held = |row: usize| rows.contains(&row);
            let others = (from..to).filter(|&row| !is_held(row));
            let groups: Vec<usize> = others.map(group).collect();
            let own = rows.iter().filter(|row| (from..to).contains(*row));
            for &row in own {
                assert!(!groups.contains(&group(row)), "row {row}");
            }
        }
    }

    /// Trials train as was found with all trusted rows, whoever is held out.
    #[test]
    fn trials_share_what_was_found_at_a_stage() {
        let data = uniform(300, 50, 0.2);
        let trials = of(&data, trainer());
        let targets = trials.targets(|_| true);
        let found = trials
            .training_at(Stage::FirstRound, &targets, AT_RANDOM)
            .unwrap();
        let part = trials.without(&[0, 1, 2]);
        // These could not be trained on.
        let none = vec![0.0; targets.len()];
        let shared = part
            .training_at(Stage::FirstRound, &none, AT_RANDOM)
            .unwrap();
        assert_eq!(shared, found);
        assert!(part.shared.trainings[Stage::Glc as usize].get().is_none());
        part.training_at(Stage::Glc, &targets, AT_RANDOM).unwrap();
        assert!(part.shared.trainings[Stage::Glc as usize].get().is_none());
    }
}
