//! Columns that put rows into groups: who gave a label, and which rows belong together.

use super::super::problem::CleaningProblem;
use super::super::specification::DataSpecification;
use super::super::split::CleaningData;
use crate::Error;
use crate::data::groups::Groups;

/// The texts of each column of groups that was wanted, if it is there.
pub(super) type GroupTexts = Vec<Option<Vec<String>>>;

/// Fewer groups cannot be told apart from the folds of a cross-validation.
const LEAST_GROUPS: usize = 3;

/// The columns that put rows into groups, each once.
pub(super) fn group_columns(given: &DataSpecification) -> Vec<String> {
    let columns = given.annotator.iter().chain(&given.group);
    let mut columns: Vec<String> = columns.cloned().collect();
    columns.dedup();
    columns
}

/// The texts of this column of groups.
pub(super) fn group_texts<'t>(
    given: &DataSpecification,
    texts: &'t GroupTexts,
    column: Option<&String>,
) -> Option<&'t [String]> {
    let columns = group_columns(given);
    let place = columns.iter().position(|other| Some(other) == column)?;
    texts.get(place)?.as_deref()
}

/// The data with its groups: from the file of the rows to check, and from the file of trusted rows, if that is another
/// one.
pub(super) fn with_groups(
    given: &DataSpecification,
    mut data: CleaningData,
    own: &GroupTexts,
    trusted: Option<&GroupTexts>,
) -> Result<CleaningData, Error> {
    if let Some(texts) = group_texts(given, own, given.annotator.as_ref()) {
        let of_rows = data.train_rows().iter();
        let annotators = Groups::new(of_rows.map(|&row| texts[row].as_str()));
        if let [only] = annotators.names() {
            let because = format!("all rows have the annotator {only:?}");
            let key = "annotator";
            return Err(CleaningProblem::Unused { key, because }.into());
        }
        data = data.with_annotators(annotators)?;
    }
    let Some(texts) = group_texts(given, own, given.group.as_ref()) else {
        return Ok(data);
    };
    let of_trusted = match trusted {
        Some(trusted) => group_texts(given, trusted, given.group.as_ref()),
        None => Some(texts),
    };
    // A row without a group is alone.
    let alone = |kind: char, row: usize| format!("{kind}\n{row}");
    let text_of = |kind: char, row: usize, texts: Option<&[String]>| {
        let text = texts.and_then(|texts| texts.get(row));
        let text = text.map(|text| text.trim()).filter(|text| !text.is_empty());
        text.map_or_else(|| alone(kind, row), str::to_owned)
    };
    let numbers = data.row_numbers();
    let rows = numbers
        .train
        .iter()
        .map(|&row| text_of('r', row, Some(texts)));
    let trusted = numbers
        .trusted
        .iter()
        .map(|&row| text_of('t', row, of_trusted));
    let all: Vec<String> = rows.chain(trusted).collect();
    let groups = Groups::new(all.iter().map(String::as_str));
    let found = Groups::new(all[..data.train().rows()].iter().map(String::as_str));
    let found = found.names().len();
    if found < LEAST_GROUPS {
        let because = format!(
            "the rows to check are in {found} groups, and at least {LEAST_GROUPS} are needed to judge some by models of the others"
        );
        return Err(CleaningProblem::Unused {
            key: "group",
            because,
        }
        .into());
    }
    data.with_groups(groups)
}
