//! Records of plain numbers, which are nearly all records of a large file: a number is read where it stands, without a
//! search for its end first. Any other record is left to [`Records`](super::records::Records), and gives the same cells.

use std::ops::Range;

use crate::data::header::Role;

/// After so many records in a row that are not plain, the others are not tried.
const MOST_FAILURES: usize = 16;

/// The cells of a plain record: unquoted, without blanks around them.
pub(super) struct Plain<'a> {
    separator: u8,
    roles: &'a [Role],
    failures: usize,
    /// Of each feature, in the order of the columns; NaN where the cell is empty.
    pub(super) numbers: Vec<(usize, f64)>,
    /// The cells of other roles, and where they stand.
    pub(super) texts: Vec<(usize, Range<usize>)>,
}

impl<'a> Plain<'a> {
    pub(super) fn new(separator: u8, roles: &'a [Role]) -> Self {
        Self {
            separator,
            roles,
            failures: 0,
            numbers: Vec::with_capacity(roles.len()),
            texts: Vec::new(),
        }
    }

    /// Reads the record that begins at `at`: where it ends, before the end of its line. None if it is not plain; the
    /// cells mean nothing then.
    pub(super) fn read(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        if self.failures == MOST_FAILURES {
            return None;
        }
        let end = self.cells(bytes, at);
        self.failures = if end.is_some() { 0 } else { self.failures + 1 };
        end
    }

    fn cells(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        self.numbers.clear();
        self.texts.clear();
        for (column, &role) in self.roles.iter().enumerate() {
            if column > 0 {
                if *bytes.get(at)? != self.separator {
                    return None;
                }
                at += 1;
            }
            let rest = &bytes[at..];
            if let Role::Feature(position) = role {
                let (value, length) = number(rest, self.separator)?;
                if length == 0 && self.roles.len() == 1 {
                    // An empty line has no cells.
                    return None;
                }
                self.numbers.push((position, value));
                at += length;
            } else {
                let ends = |&byte: &u8| byte == self.separator || matches!(byte, b'\n' | b'\r');
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                let blank = |&byte: &u8| matches!(byte, b' ' | b'\t');
                // Neither is an empty cell, which may be an empty line.
                let (first, last) = (rest[..length].first()?, rest[..length].last()?);
                if *first == b'"' || blank(first) || blank(last) {
                    return None;
                }
                if role != Role::Unused {
                    self.texts.push((column, at..at + length));
                }
                at += length;
            }
        }
        matches!(bytes.get(at), None | Some(b'\n' | b'\r')).then_some(at)
    }
}

/// The number at the beginning of a text, and its length; NaN if the cell is empty.
fn number(text: &[u8], separator: u8) -> Option<(f64, usize)> {
    let first = *text.first().unwrap_or(&b'\n');
    if first == separator || matches!(first, b'\n' | b'\r') {
        return Some((f64::NAN, 0));
    }
    // Not a word such as `inf`.
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'.' | b'+')) {
        return None;
    }
    let (value, length) = fast_float2::parse_partial::<f64, _>(text).ok()?;
    value.is_finite().then_some((value, length))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::data::labels::classes;
    use crate::data::table::{Features, Table, TableColumns};

    const ROLES: [Role; 4] = [
        Role::Feature(0),
        Role::Label,
        Role::Unused,
        Role::Feature(1),
    ];

    #[test]
    fn a_plain_record_has_its_cells() {
        let mut plain = Plain::new(b',', &ROLES);
        for (text, values) in [
            ("1,a,b,-2.5e3\nrest", [1.0, -2500.0]),
            ("0.1,a,b,.5\r\n", [0.1, 0.5]),
            (
                "-0.30000000000000004,a,b,+7",
                [-0.300_000_000_000_000_04, 7.0],
            ),
        ] {
            let end = plain.read(text.as_bytes(), 0).unwrap();
            assert!(matches!(
                text.as_bytes().get(end),
                None | Some(b'\n' | b'\r')
            ));
            assert_eq!(plain.numbers, [(0, values[0]), (1, values[1])], "{text}");
            let [(1, label)] = &plain.texts[..] else {
                panic!("one label: {text}");
            };
            assert_eq!(&text[label.clone()], "a");
        }
        assert_eq!(plain.read(b",a,b,1\n", 0), Some(6));
        assert!(plain.numbers[0].1.is_nan());
        assert_eq!(plain.read(b"1,a,b,", 0), Some(6));
        assert!(plain.numbers[1].1.is_nan());
        let one = [Role::Feature(0)];
        assert_eq!(Plain::new(b',', &one).read(b"\n1\n", 0), None);
    }

    #[test]
    fn anything_else_is_left_to_others() {
        for text in [
            "1,a,b,nan",
            "1,a,b,-inf",
            "1,a,b,1e999",
            "1,a,b,2 ",
            "1, a,b,2",
            "1,\"a\",b,2",
            "1,,b,2",
            "1,a,b",
            "1,a,b,2,",
            "1,a,b,2024-01-01",
            "1,a,b,1.2.3",
            "1,a,b,1e",
            "",
            "\n",
        ] {
            assert_eq!(
                Plain::new(b',', &ROLES).read(text.as_bytes(), 0),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn it_gives_up_on_files_of_other_records() {
        let mut plain = Plain::new(b',', &ROLES);
        for _ in 0..MOST_FAILURES {
            assert_eq!(plain.read(b"x,a,b,1", 0), None);
        }
        assert_eq!(plain.read(b"1,a,b,1", 0), None);
    }

    /// Everything that a table holds, as a text: NaN does not equal NaN.
    fn contents(table: Table) -> String {
        let classes = classes(&table.labels().into_iter().collect::<Vec<_>>(), false);
        let Features::Columns(columns) = table.features else {
            panic!("columns");
        };
        let columns = columns
            .into_iter()
            .map(|column| (column.name.clone(), column.contents()));
        let columns: Vec<_> = columns.collect();
        format!(
            "{columns:?} {classes:?} {:?} {:?} {}",
            table.lines, table.notes, table.rows
        )
    }

    /// The same table as record by record: a word that stands for no value turns plain records off.
    fn is_read_alike(text: &str) {
        let [plain, slow] = [vec![], vec!["never".to_owned()]].map(|missing| {
            let wanted = TableColumns {
                label: Some("y".to_owned()),
                missing,
                ..TableColumns::default()
            };
            let table = Table::from_bytes(text.as_bytes().to_vec(), Path::new("t.csv"), &wanted);
            table.map_or_else(|error| error.to_string(), contents)
        });
        assert_eq!(plain, slow, "{text:?}");
    }

    #[test]
    fn a_separator_that_is_part_of_numbers_separates() {
        let wanted = TableColumns {
            label: Some("y".to_owned()),
            text: crate::data::table::TextForm {
                separator: Some(b'.'),
                ..Default::default()
            },
            ..TableColumns::default()
        };
        // Three cells under two names, not the number 1.2 and a label.
        let table = Table::from_bytes(b"a.y\n1.u\n3.4.v\n".to_vec(), Path::new("t"), &wanted);
        let told = table.unwrap_err().to_string();
        assert!(told.contains("expected 2 cells"), "{told}");
    }

    proptest! {
        #[test]
        fn tables_are_those_of_records(
            rows in prop::collection::vec(
                prop::collection::vec(prop::sample::select(vec![
                    "1", "-0.5", "1e3", "0.1", "007", "5.", "+2", "", "NA", "nan", "-inf", "1e999", " 3", "4 ",
                    "\"6\"", "\"a,b\"", "x", "2024-01-02", "1_0", "--", "9007199254740993", "1.7976931348623157e308",
                    "4.9e-324", "\u{e9}",
                ]), 2..5),
                0..8,
            ),
            end in prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n"]),
        ) {
            let rows = rows.iter().map(|row| row.join(","));
            let all: Vec<String> = ["a,y,b".to_owned()].into_iter().chain(rows).collect();
            is_read_alike(&all.join(end));
            is_read_alike(&(all.join(end) + end));
        }
    }
}
