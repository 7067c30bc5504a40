//! What a person reads about a column that cannot be used as it is.

use super::scale::ColumnScale;
use crate::Error;
use crate::data::column::{MOST_CATEGORIES, Trouble};
use crate::data::problem::{ColumnProblem, ColumnRemedy, TableProblem, cut};
use crate::data::table::Table;

pub(super) fn nothing(column: &str) -> ColumnProblem {
    ColumnProblem {
        column: column.to_owned(),
        message: format!(
            "column {column:?}: expected at least one number, found only missing values"
        ),
        remedy: ColumnRemedy::Ignore,
    }
}

/// What a person reads about a column that cannot be used.
pub(super) fn problem(table: &Table, column: &str, trouble: &Trouble) -> Option<ColumnProblem> {
    let at = |row: usize| table.place(row, Some(column.to_owned()));
    let (message, remedy) = match trouble {
        Trouble::Mixed {
            row,
            found,
            texts,
            others,
        } => {
            let (kind, few) = if texts <= others {
                ("a number", texts)
            } else {
                ("a text, as in most rows", others)
            };
            let of = texts + others;
            let cells = if *few == 1 { "cell" } else { "cells" };
            let more = if of == 1 {
                String::new()
            } else {
                format!(" ({few} {cells} of {of})")
            };
            (
                format!("{}: expected {kind}, found {found}{more}", at(*row)),
                if 20 * few <= of && texts <= others {
                    ColumnRemedy::FewTexts
                } else {
                    ColumnRemedy::IgnoreOrCategory
                },
            )
        }
        Trouble::ManyTexts { different, rows } => (
            format!(
                "column {column:?}: expected numbers, or texts of at most {MOST_CATEGORIES} kinds, found {different} different texts in {rows} rows"
            ),
            ColumnRemedy::IgnoreOrCategory,
        ),
        Trouble::Names => (
            format!("column {column:?}: expected values, found a different text in every row"),
            ColumnRemedy::Ignore,
        ),
        Trouble::Marks { row } => (
            format!(
                "{}: expected one decimal mark in all numbers, found commas and points",
                at(*row)
            ),
            ColumnRemedy::Decimal,
        ),
        Trouble::Unread {
            row,
            found,
            expected,
        } => (
            format!("{}: expected {expected}, found {:?}", at(*row), cut(found)),
            ColumnRemedy::IgnoreOrCategory,
        ),
        Trouble::Comma { row, found } => (
            format!(
                "{}: expected a number, found one with a comma that may separate thousands or a fraction ({found} or {})",
                at(*row),
                found / 1000.0
            ),
            ColumnRemedy::Decimal,
        ),
        Trouble::Infinite { row, found } => (
            format!("{}: expected a finite number, found {found:?}", at(*row)),
            ColumnRemedy::Ignore,
        ),
    };
    Some(ColumnProblem {
        column: column.to_owned(),
        message,
        remedy,
    })
}

pub(super) fn out_of_reach(table: &Table, row: usize, value: f64, scale: &ColumnScale) -> Error {
    table.wrong(TableProblem::Infinite {
        place: table.place(row, Some(scale.name.clone())),
        found: if value.is_infinite() {
            value.to_string()
        } else {
            format!(
                "{value:e}, which is out of reach when it is standardised by {} ± {}",
                scale.mean, scale.scale
            )
        },
    })
}
