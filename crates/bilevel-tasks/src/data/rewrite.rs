//! A data file written again: some rows left out, other labels, or more columns; all else as it was, byte by byte.

use std::fs;
use std::io;
use std::path::Path;

pub use super::changes::{AddedColumn, AddedKind, Changes, Edit, Rewrite};
use super::own_cells::OwnCells;
use super::roles::TableColumns;
use crate::Error;

/// The names of the first `most` columns of a file and their cells in these rows, as the file has them, if it is text with
/// columns that can be read again.
///
/// # Errors
/// Those of reading.
pub(crate) fn cells(
    path: &Path,
    wanted: &TableColumns,
    rows: &[usize],
    most: usize,
) -> Result<Option<OwnCells>, Error> {
    super::format::cells(path, wanted, rows, most)
}

/// Fails unless a file of this format can be written with such changes.
///
/// # Errors
/// A format that is read only, one without columns, or a file that can be read only once.
pub fn expect_rewritable(path: &Path, changes: Changes) -> Result<(), Error> {
    super::format::rewritable(path, changes)
}

/// Reads a file and writes it to `to`, which must not exist, with these changes: a folder of pictures to a folder, any
/// other file packed if the name ends in `.gz` or `.zst`. `wanted` is how it was read.
///
/// # Errors
/// Those of [`expect_rewritable`], and a label that the format cannot hold.
pub fn rewrite(
    path: &Path,
    wanted: &TableColumns,
    changes: &Rewrite,
    to: &Path,
) -> Result<(), Error> {
    let cannot = |source: io::Error| Error::Write {
        path: to.to_owned(),
        source,
    };
    if to.symlink_metadata().is_ok() {
        return Err(cannot(io::ErrorKind::AlreadyExists.into()));
    }
    let Some(bytes) = super::format::rewritten(path, wanted, changes, to)? else {
        return Ok(());
    };
    let ending = to.extension().and_then(|ending| ending.to_str());
    let bytes = match ending {
        Some("gz") => {
            let mut packed =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            io::Write::write_all(&mut packed, &bytes).map_err(cannot)?;
            packed.finish().map_err(cannot)?
        }
        Some("zst") => zstd::encode_all(&bytes[..], 0).map_err(cannot)?,
        _ => bytes,
    };
    if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(cannot)?;
    }
    crate::checkpoint::write_whole(to, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::roles::LabelsWanted;

    fn wanted(label: Option<&str>) -> TableColumns {
        TableColumns {
            label: label.map(str::to_owned),
            ..TableColumns::default()
        }
    }

    /// Row 1 is left out, row 2 gets the label `new`.
    fn changes(new: &str) -> Rewrite {
        Rewrite {
            edits: vec![Edit::Keep, Edit::Drop, Edit::Label(new.to_owned())],
            columns: Vec::new(),
        }
    }

    /// The bytes of a file with changes.
    fn rewritten(bytes: &[u8], wanted: &TableColumns, changes: &Rewrite) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("new/to"));
        fs::write(&from, bytes).unwrap();
        rewrite(&from, wanted, changes, &to).unwrap();
        let error = rewrite(&from, wanted, changes, &to).unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
        fs::read(&to).unwrap()
    }

    /// Whatever is not changed stays: quotes, blanks, line ends, empty lines, a missing last line end.
    #[test]
    fn texts_keep_their_form() {
        for (text, expected) in [
            ("a,y\n1,b\n2,c\n3,b\n4,c", "a,y\n1,b\n3,new\n4,c"),
            (
                "\"a\";\"y\"\r\n 1,50 ; \"b\"\r\n2;c\r\n\r\n3;\"b\"\r\n",
                "\"a\";\"y\"\r\n 1,50 ; \"b\"\r\n\r\n3;\"new\"\r\n",
            ),
            ("sep=;\na;y\n1;b\n2;c\n3;b\n", "sep=;\na;y\n1;b\n3;new\n"),
            ("a\ty\n1\tb\n2\tc\n3\tb\n", "a\ty\n1\tb\n3\tnew\n"),
            (
                "\u{feff}y,a\nb,\"x\n,\"\nc,2\nb,3\n",
                "\u{feff}y,a\nb,\"x\n,\"\nnew,3\n",
            ),
        ] {
            let found = rewritten(text.as_bytes(), &wanted(Some("y")), &changes("new"));
            assert_eq!(String::from_utf8(found).unwrap(), expected);
        }
        let found = rewritten(
            b"a,y\n1,b\n2,c\n3,b\n",
            &wanted(Some("y")),
            &changes("n,\"w"),
        );
        assert_eq!(found, b"a,y\n1,b\n3,\"n,\"\"w\"\n");
        // UTF-16 stays UTF-16.
        let wide = |text: &str| -> Vec<u8> {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            units.flat_map(u16::to_be_bytes).collect()
        };
        let found = rewritten(
            &wide("a,y\n1,b\n2,c\n3,b\n"),
            &wanted(Some("y")),
            &changes("é"),
        );
        assert_eq!(found, wide("a,y\n1,b\n3,é\n"));
    }

    /// From any part of a file of several blocks, with line breaks in cells; of the first columns only.
    #[test]
    fn cells_are_those_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let line = |row: usize| format!("{row}.50,\"{}\n\"\"b\",c,y\n", "long".repeat(row % 40));
        let text: String = (0..20_000).map(line).collect();
        assert!(text.len() > 1 << 20);
        fs::write(&path, format!("a,b,c,y\n{text}")).unwrap();
        let rows = [19_999, 0, 7_003, 20_000];
        let found = cells(&path, &wanted(Some("y")), &rows, 2).unwrap().unwrap();
        assert_eq!((found.names, found.more), (vec!["a".into(), "b".into()], 2));
        for (row, cells) in rows.iter().zip(&found.rows).take(3) {
            let expected = [
                format!("{row}.50"),
                format!("{}\n\"b", "long".repeat(row % 40)),
            ];
            assert_eq!(
                cells.iter().collect::<Vec<_>>(),
                expected.each_ref().map(String::as_bytes)
            );
        }
        assert!(found.rows[3].is_empty());
        let all = cells(&path, &wanted(Some("y")), &rows, 4).unwrap().unwrap();
        assert_eq!((all.names.len(), all.more, all.rows[1].len()), (4, 0, 4));
    }

    #[test]
    fn columns_are_added_behind_the_last() {
        let added = Rewrite {
            edits: Vec::new(),
            columns: vec![AddedColumn {
                name: "w".to_owned(),
                kind: AddedKind::Number,
                texts: ["0.5", "", "1"].map(str::to_owned).to_vec(),
            }],
        };
        let found = rewritten(b"w,y\r\n1,b\r\n2,c\r\n3,b", &wanted(Some("y")), &added);
        assert_eq!(found, b"w,y,w_\r\n1,b,0.5\r\n2,c,\r\n3,b,1");
        let found = rewritten(b"1 b\n2 c\n3 b\n", &wanted(Some("1")), &added);
        assert_eq!(found, b"1 b 0.5\n2 c \"\"\n3 b 1\n");
    }

    #[test]
    fn lines_of_libsvm_and_pictures_of_cifar() {
        let found = rewritten(
            b"# text\n1 1:2\n-1 2:3 # c\n 1 1:4\n1 1:1\n",
            &wanted(None),
            &changes("-1"),
        );
        assert_eq!(found, b"# text\n1 1:2\n -1 1:4\n1 1:1\n");
        let picture = |label: u8, pixel: u8| {
            let mut bytes = vec![pixel; 3073];
            bytes[0] = label;
            bytes
        };
        let bytes = [picture(3, 7), picture(4, 8), picture(5, 9)].concat();
        let found = rewritten(&bytes, &wanted(None), &changes("6"));
        assert_eq!(found, [picture(3, 7), picture(6, 9)].concat());
    }

    #[test]
    fn arrays_keep_their_type() {
        let labels = TableColumns {
            labels: LabelsWanted::Only,
            ..wanted(None)
        };
        for (kind, elements, expected) in [
            (
                "<i8",
                (1..4_i64).flat_map(i64::to_le_bytes).collect(),
                [1_i64, 7].map(i64::to_le_bytes).concat(),
            ),
            (
                ">i2",
                (1..4_i16).flat_map(i16::to_be_bytes).collect(),
                [1_i16, 7].map(i16::to_be_bytes).concat(),
            ),
            (
                "<f4",
                (1..4_u8)
                    .map(f32::from)
                    .flat_map(f32::to_le_bytes)
                    .collect(),
                [1_f32, 7.0].map(f32::to_le_bytes).concat(),
            ),
            ("|S2", b"1\x002\x003\x00".to_vec(), b"1\x007\x00".to_vec()),
        ] {
            let elements: Vec<u8> = elements;
            let mut bytes = crate::data::npy::header(kind, &[3]);
            bytes.extend(elements);
            let found = rewritten(&bytes, &labels, &changes("7"));
            let mut whole = crate::data::npy::header(kind, &[2]);
            whole.extend(expected);
            assert_eq!(found, whole, "{kind}");
        }
        let idx = [0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3];
        assert_eq!(
            rewritten(&idx, &labels, &changes("7")),
            [0, 0, 8, 1, 0, 0, 0, 2, 1, 7]
        );
        // Rows of features lose theirs.
        let idx = [0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2, 1, 1, 2, 2, 3, 3];
        let drop = Rewrite {
            edits: vec![Edit::Drop],
            columns: Vec::new(),
        };
        assert_eq!(
            rewritten(&idx, &wanted(None), &drop)[..8],
            [0, 0, 8, 2, 0, 0, 0, 2]
        );
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        fs::write(&path, crate::data::npy::header("<f4", &[0])).unwrap();
        assert!(expect_rewritable(&path, Changes::Rows).is_ok());
        let error = expect_rewritable(&path, Changes::Columns).unwrap_err();
        assert!(
            error.to_string().contains("a format with columns"),
            "{error}"
        );
        let labels = TableColumns {
            labels: LabelsWanted::Only,
            ..wanted(None)
        };
        fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 1, 5]).unwrap();
        let wrong = Rewrite {
            edits: vec![Edit::Label("cat".to_owned())],
            columns: Vec::new(),
        };
        let error = rewrite(&path, &labels, &wrong, &folder.path().join("to")).unwrap_err();
        assert!(error.to_string().contains("can hold, found cat"), "{error}");
    }

    #[test]
    fn pictures_are_copied_to_the_folder_of_their_class() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        for (class, name) in [("a", "1.png"), ("a", "2.png"), ("b", "1.png")] {
            fs::create_dir_all(from.join(class)).unwrap();
            fs::write(from.join(class).join(name), format!("{class}{name}")).unwrap();
        }
        let to = folder.path().join("to");
        rewrite(&from, &wanted(None), &changes("a"), &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/1.png")).unwrap(), "a1.png");
        assert_eq!(fs::read_to_string(to.join("a/b-1.png")).unwrap(), "b1.png");
        assert_eq!(fs::read_dir(to.join("a")).unwrap().count(), 2);
    }
}
