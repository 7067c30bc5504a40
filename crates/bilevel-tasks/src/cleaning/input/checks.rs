//! Whether what is said of the files is true of them.

use super::super::problem::CleaningProblem;
use super::super::specification::DataSpecification;
use super::grouped::group_texts;
use crate::Error;
use crate::data::table::{Table, add_names};
use crate::data::{Known, STANDARD_INPUT};

/// Standard input has one file.
pub(super) fn check_standard_input(given: &DataSpecification) -> Result<(), Error> {
    let mut keys = [
        ("file", &given.file),
        ("labels", &given.labels),
        ("trusted", &given.trusted),
        ("trusted_labels", &given.trusted_labels),
        ("test", &given.test),
        ("test_labels", &given.test_labels),
    ]
    .into_iter()
    .filter(|(_, path)| {
        path.as_ref()
            .is_some_and(|path| path.as_os_str() == STANDARD_INPUT)
    })
    .map(|(key, _)| key);
    match (keys.next(), keys.next()) {
        (Some(_), Some(key)) => Err(CleaningProblem::Unused {
            key,
            because: "standard input was read for another file".to_owned(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Columns with a role must exist.
pub(super) fn check_columns(given: &DataSpecification, table: &Table) -> Result<(), Error> {
    for (key, name, there) in [
        (
            "label",
            &given.label,
            given
                .label
                .as_ref()
                .is_some_and(|name| table.names().contains(name)),
        ),
        ("id", &given.id, table.id_column().is_some()),
        (
            "annotator",
            &given.annotator,
            group_texts(given, &table.groups, given.annotator.as_ref()).is_some(),
        ),
        (
            "group",
            &given.group,
            group_texts(given, &table.groups, given.group.as_ref()).is_some(),
        ),
        (
            "trusted_column",
            &given.trusted_column,
            table.trusted().is_some(),
        ),
    ] {
        if let Some(name) = name
            && !there
        {
            return Err(CleaningProblem::NoColumn {
                key,
                name: name.clone(),
                known: known(name, table.names()),
            }
            .into());
        }
    }
    Ok(())
}

fn known(name: &str, names: &[String]) -> String {
    if names.is_empty() {
        "no names of columns".to_owned()
    } else {
        Known::new(name, names).to_string()
    }
}

/// What all files have, to find keys that mean nothing for any of them.
#[derive(Default)]
pub(super) struct Seen {
    /// Of all columns and arrays.
    names: Vec<String>,
    /// Those of columns with cells.
    cells: Vec<String>,
    text: bool,
    pictures: bool,
    columns: bool,
}

impl Seen {
    pub(super) fn see(&mut self, table: &Table) {
        let cells = table.has_columns().then_some(&mut self.cells);
        for names in [Some(&mut self.names), cells].into_iter().flatten() {
            add_names(names, table.names());
        }
        self.text |= table.kind().starts_with("text");
        self.pictures |= table.kind().contains("pictures");
        self.columns |= table.has_columns();
    }

    pub(super) fn check(&self, given: &DataSpecification) -> Result<(), Error> {
        for (key, columns) in [
            ("ignore", &given.ignore),
            ("keep", &given.keep),
            ("category", &given.category),
        ] {
            if let Some(name) = columns.iter().find(|name| !self.names.contains(name)) {
                let (name, known) = (name.clone(), known(name, &self.names));
                return Err(CleaningProblem::NoColumn { key, name, known }.into());
            }
            let array = columns.iter().find(|name| !self.cells.contains(name));
            if key != "ignore"
                && let Some(name) = array
            {
                let because = format!("{name:?} is not a column of cells");
                return Err(CleaningProblem::Unused { key, because }.into());
            }
        }
        for (key, given, there, what) in [
            ("separator", given.separator.is_some(), self.text, "text"),
            ("decimal", given.decimal.is_some(), self.text, "text"),
            ("header", given.header.is_some(), self.text, "text"),
            (
                "image_size",
                given.image_size.is_some(),
                self.pictures,
                "a folder of pictures",
            ),
        ] {
            if given && !there {
                let because = format!("no file is {what}");
                return Err(CleaningProblem::Unused { key, because }.into());
            }
        }
        Ok(())
    }
}
