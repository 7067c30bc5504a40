//! The suspects with their own cells, to be checked by hand.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use csv::ByteRecord;

use super::CleaningJob;
use super::input::Files;
use super::outcome::Score;
use crate::Error;
use crate::count::count;
use crate::data::own_cells::OwnCells;
use crate::data::preparation::ColumnScale;
use crate::data::rewrite::cells;

/// Where a person writes what was found.
const DECISION: &str = "decision";
/// The cells of so many columns are shown: nobody reads more, and spreadsheets open no file with many more.
const MOST_COLUMNS: usize = 1000;
/// Features of a file without cells that are shown.
const MOST_FEATURES: usize = 50;
/// Rows to check first, where nothing is known of the labels.
const FIRST: usize = 50;

/// A row to be checked, and why.
struct Listed<'a> {
    score: &'a Score,
    reason: String,
}

impl CleaningJob {
    /// The text of `review.csv`: the suspects by rank with their own cells, but for rows that an earlier file of this kind
    /// has a decision about. Where no row is trusted, the rows to be checked first come first: with right labels, they
    /// are trusted rows.
    ///
    /// # Errors
    /// A file of earlier decisions, or the file of rows, that cannot be read.
    pub fn review_csv(&self, scores: &[Score]) -> Result<Vec<u8>, Error> {
        let reviewed = self.reviewed()?;
        let known = |score: &&Score| {
            let by_id = score
                .id
                .as_ref()
                .is_some_and(|id| reviewed.ids.contains(id));
            !by_id && !reviewed.rows.contains(&score.row)
        };
        let first = self.check_first(scores);
        let mut listed: Vec<Listed<'_>> = first
            .iter()
            .map(|&place| &scores[place])
            .filter(known)
            .map(|score| Listed {
                score,
                reason: format!("check first; {}", reason(score)),
            })
            .collect();
        let firsts: HashSet<usize> = listed.iter().map(|listed| listed.score.row).collect();
        let suspects = scores.iter().filter(|score| score.suspect).filter(known);
        listed.extend(
            suspects
                .filter(|score| !firsts.contains(&score.row))
                .map(|score| Listed {
                    score,
                    reason: reason(score),
                }),
        );
        self.written(&listed)
    }

    /// Rows that tell most about the others if their labels are known, if no row is trusted: half of them suspects, half
    /// not, spread over the ranks. Their places in the list of scores.
    #[must_use]
    pub fn check_first(&self, scores: &[Score]) -> Vec<usize> {
        if self.data.trusted().rows() > 0 {
            return Vec::new();
        }
        let (suspects, others): (Vec<usize>, Vec<usize>) =
            (0..scores.len()).partition(|&place| scores[place].suspect);
        let spread = |places: &[usize], wanted: usize| -> Vec<usize> {
            let wanted = wanted.min(places.len());
            (0..wanted)
                .map(|n| places[n * places.len() / wanted])
                .collect()
        };
        let mut first = spread(&suspects, FIRST / 2);
        let rest = FIRST.saturating_sub(first.len());
        first.extend(spread(&others, rest));
        first
    }

    fn written(&self, listed: &[Listed<'_>]) -> Result<Vec<u8>, Error> {
        let wrong = |error: csv::Error| Error::Write {
            path: "review.csv".into(),
            source: std::io::Error::other(error),
        };
        let rows: Vec<usize> = listed.iter().map(|listed| listed.score.row).collect();
        let named = listed.iter().any(|listed| listed.score.id.is_some());
        let own = self.own_cells(&rows)?;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut head = vec![
            "rank",
            "row",
            "given",
            "suggested",
            "p_suggested",
            "weight",
            "reason",
            DECISION,
        ];
        if named {
            head.push("id");
        }
        head.extend(own.names.iter().map(String::as_str));
        let more = format!("({} more)", count(own.more, "column"));
        if own.more > 0 {
            head.push(&more);
        }
        writer.write_record(&head).map_err(wrong)?;
        for (listed, cells) in listed.iter().zip(&own.rows) {
            let score = listed.score;
            let mut record = ByteRecord::from(vec![
                score.rank.to_string(),
                score.row.to_string(),
                score.given.clone(),
                score.suggested.clone(),
                format!("{:.4}", score.p_suggested),
                format!("{:.4}", score.weight),
                listed.reason.clone(),
                String::new(),
            ]);
            if named {
                record.push_field(score.id.as_deref().unwrap_or_default().as_bytes());
            }
            record.extend(cells);
            if own.more > 0 {
                record.push_field(b"");
            }
            writer.write_byte_record(&record).map_err(wrong)?;
        }
        writer.into_inner().map_err(|error| Error::Write {
            path: "review.csv".into(),
            source: error.into_error(),
        })
    }

    /// The names and the cells of these rows: as their file has them, or their features.
    fn own_cells(&self, rows: &[usize]) -> Result<OwnCells, Error> {
        let data = &self.specification.data;
        if let Some(file) = data.file.as_deref() {
            let files = Files::first(data, file);
            let wanted = files.wanted(data, data.labels.is_none());
            if let Some(found) = cells(file, &wanted, rows, MOST_COLUMNS)? {
                return Ok(found);
            }
        }
        let train = self.data.train();
        let Some(scaling) = self
            .scaling
            .as_deref()
            .filter(|scaling| train.image_shape().is_none() && scaling.len() <= MOST_FEATURES)
        else {
            return Ok(OwnCells::new(Vec::new(), 0, rows.len()));
        };
        let names = scaling.iter().map(|column| column.name.clone()).collect();
        let mut own = OwnCells::new(names, MOST_FEATURES, rows.len());
        let positions: HashMap<usize, usize> = self
            .data
            .train_rows()
            .iter()
            .enumerate()
            .map(|(position, &row)| (row, position))
            .collect();
        let original = |(feature, scale): (&f32, &ColumnScale)| {
            (f64::from(*feature) * scale.scale + scale.mean).to_string()
        };
        for (place, row) in rows.iter().enumerate() {
            if let Some(&position) = positions.get(row) {
                let features = train.row(position);
                let texts: Vec<String> = features.iter().zip(scaling).map(original).collect();
                own.put(place, texts.iter().map(String::as_bytes));
            }
        }
        Ok(own)
    }

    /// Rows about which there are decisions.
    fn reviewed(&self) -> Result<Reviewed, Error> {
        let mut reviewed = Reviewed::default();
        for file in &self.specification.output.reviewed {
            reviewed.read(file)?;
        }
        Ok(reviewed)
    }
}

/// Why a label is suspected, in words.
fn reason(score: &Score) -> String {
    if score.given == score.suggested {
        return format!("the label has a weight of {:.3}", score.weight);
    }
    format!(
        "{:?} has a probability of {:.3}, the given label a weight of {:.3}",
        score.suggested, score.p_suggested, score.weight
    )
}

#[derive(Default)]
struct Reviewed {
    rows: HashSet<usize>,
    ids: HashSet<String>,
}

impl Reviewed {
    fn read(&mut self, file: &Path) -> Result<(), Error> {
        let wrong = |found: String| {
            let expected = format!("a review.csv with the columns row and {DECISION}");
            crate::data::Malformed::new(expected, found).at(file)
        };
        let mut reader = csv::Reader::from_path(file).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(source) => Error::Read {
                path: file.to_owned(),
                source,
            },
            other => wrong(format!("{other:?}")),
        })?;
        let head = reader.headers().map_err(|error| wrong(error.to_string()))?;
        let place = |name: &str| head.iter().position(|known| known == name);
        let (Some(row), Some(decision), id) = (place("row"), place(DECISION), place("id")) else {
            return Err(wrong(format!("{:?}", head.iter().collect::<Vec<_>>())));
        };
        for (number, record) in reader.records().enumerate() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            if record
                .get(decision)
                .is_none_or(|text| text.trim().is_empty())
            {
                continue;
            }
            // A name says more than a number, which another file may count otherwise.
            match id.and_then(|id| record.get(id)).filter(|id| !id.is_empty()) {
                Some(id) => {
                    self.ids.insert(id.to_owned());
                }
                None => {
                    let text = record.get(row).unwrap_or_default();
                    let row = text.parse().map_err(|_| {
                        wrong(format!("{text:?} as the row in record {}", number + 1))
                    })?;
                    self.rows.insert(row);
                }
            }
        }
        Ok(())
    }
}
