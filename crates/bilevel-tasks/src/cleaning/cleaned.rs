//! The rows to check, written again without the wrong labels.

use std::path::PathBuf;

use super::CleaningJob;
use super::cleaned_files::parts;
use super::input::Files;
use super::outcome::Score;
use super::output::CleanedAs;
use crate::Error;
use crate::data::rewrite::{AddedColumn, AddedKind, Edit, Rewrite, rewrite};

/// The columns that are added.
const WEIGHT: &str = "label_weight";
const SUSPECT: &str = "label_suspect";
const SUGGESTED: &str = "label_suggested";

impl CleaningJob {
    /// Writes the rows to check again, as the specification asks: what becomes of suspects is said there, rows that were
    /// not checked stay. Returns the files.
    ///
    /// # Errors
    /// A file that there is already or that cannot be written.
    pub fn write_cleaned(&self, scores: &[Score]) -> Result<Vec<PathBuf>, Error> {
        let output = &self.specification.output;
        let Some(to) = &output.write_cleaned else {
            return Ok(Vec::new());
        };
        let kind = output.cleaned_as.unwrap_or_default();
        let changes = self.changes(scores, kind);
        let parts = parts(&self.specification, to, kind);
        for part in &parts {
            let files = Files::first(&self.specification.data, part.from);
            let wanted = files.wanted(&self.specification.data, part.labels);
            rewrite(part.from, &wanted, &changes, &part.to)?;
        }
        Ok(parts.into_iter().map(|part| part.to).collect())
    }

    fn changes(&self, scores: &[Score], kind: CleanedAs) -> Rewrite {
        let numbers = self.data.row_numbers();
        let own = [&numbers.train, &numbers.unlabelled];
        let own = own.into_iter().flatten().copied();
        let same_file = self.specification.data.trusted.is_none();
        let trusted = numbers.trusted.iter().copied().filter(|_| same_file);
        let rows = own.chain(trusted.clone()).max().map_or(0, |last| last + 1);
        let mut edits = vec![Edit::Keep; rows];
        let column = |name: &str, kind| AddedColumn {
            name: name.to_owned(),
            kind,
            texts: vec![String::new(); rows],
        };
        let mut columns = match kind {
            CleanedAs::Drop | CleanedAs::Relabel => Vec::new(),
            CleanedAs::Weight => vec![column(WEIGHT, AddedKind::Number)],
            CleanedAs::Flag => vec![
                column(SUSPECT, AddedKind::Boolean),
                column(SUGGESTED, AddedKind::Label),
            ],
        };
        if kind == CleanedAs::Weight {
            trusted.for_each(|row| columns[0].texts[row] = "1".to_owned());
        }
        for score in scores {
            match kind {
                CleanedAs::Drop if score.suspect => edits[score.row] = Edit::Drop,
                CleanedAs::Relabel if score.suspect => {
                    edits[score.row] = Edit::Label(score.suggested.clone());
                }
                CleanedAs::Drop | CleanedAs::Relabel => {}
                CleanedAs::Weight => columns[0].texts[score.row] = format!("{:.6}", score.weight),
                CleanedAs::Flag => {
                    columns[0].texts[score.row] = score.suspect.to_string();
                    if score.suspect {
                        columns[1].texts[score.row].clone_from(&score.suggested);
                    }
                }
            }
        }
        Rewrite { edits, columns }
    }
}
