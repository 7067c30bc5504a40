//! NPZ, several NumPy arrays in a ZIP archive.

use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use zip::result::ZipError;
use zip::{ZipArchive, ZipWriter};

use super::arrays::{Choice, FileRows, NamedArray, table};
use super::file::{Format, Opened};
use super::npy_rows;
use crate::Error;
use crate::data::array::Array;
use crate::data::changes::{AddedColumn, AddedKind, Rewrite};
use crate::data::malformed::Malformed;
use crate::data::npy::{self, Failure};
use crate::data::roles::TableColumns;
use crate::data::room::{Counted, Room};
use crate::data::source::RandomAccess;
use crate::data::table::Table;

pub(super) const FORMAT: Format = Format {
    name: "an NPZ file of NumPy arrays",
    is: |start| {
        start.has(b"PK\x03\x04") && {
            let name = start
                .bytes
                .get(26..28)
                .map_or(0, |n| u16::from_le_bytes([n[0], n[1]]));
            let end = 30 + usize::from(name);
            start
                .bytes
                .get(30..end)
                .is_some_and(|name| name.ends_with(b".npy"))
        }
    },
    read,
    rewrite: Some(rewrite),
    columns: true,
};

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let room = opened.source.room();
    let access = opened.source.into_random_access();
    let access = access.map_err(|error| Error::reading(path, error))?;
    match access {
        RandomAccess::File(file) => {
            Arrays::open(std::io::BufReader::new(file), path, room)?.table(wanted)
        }
        RandomAccess::Memory(bytes) => Arrays::open(Cursor::new(bytes), path, room)?.table(wanted),
    }
}

/// The archive with changes: the arrays of the rows lose rows, the one of the labels gets other labels, and more arrays
/// follow the last one. All others are copied as they are.
fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let room = opened.source.room();
    let access = opened.source.into_random_access();
    let access = access.map_err(|error| Error::reading(path, error))?;
    match access {
        RandomAccess::File(file) => {
            Arrays::open(std::io::BufReader::new(file), path, room)?.rewritten(wanted, changes)
        }
        RandomAccess::Memory(bytes) => {
            Arrays::open(Cursor::new(bytes), path, room)?.rewritten(wanted, changes)
        }
    }
}

/// The arrays of a file by name, read one at a time.
struct Arrays<'a, R> {
    path: &'a Path,
    room: Arc<Room>,
    archive: ZipArchive<R>,
    named: Vec<(String, Vec<usize>)>,
}

impl<'a, R: Read + Seek> Arrays<'a, R> {
    fn open(reader: R, path: &'a Path, room: Arc<Room>) -> Result<Self, Error> {
        let archive = ZipArchive::new(reader).map_err(|e| damaged(&e).at(path))?;
        let mut arrays = Self {
            path,
            room,
            archive,
            named: Vec::new(),
        };
        for index in 0..arrays.archive.len() {
            let shape = arrays.entry(index, npy::shape);
            let (name, shape) = shape.map_err(|failure| failure.at(path))?;
            arrays.named.push((name, shape));
        }
        Ok(arrays)
    }

    /// The name of an entry, and what `parse` makes of it.
    fn entry<T>(
        &mut self,
        index: usize,
        parse: impl FnOnce(&mut dyn Read) -> Result<T, Failure>,
    ) -> Result<(String, T), Failure> {
        let file = self.archive.by_index(index).map_err(Failure::from)?;
        let name = file.name().map_err(Failure::from)?.into_owned();
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        let parsed = parse(&mut Counted::new(file, &self.room)).map_err(|failure| match failure {
            // A wrong checksum, or a stream that is cut short.
            Failure::Read(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::InvalidData
                        | std::io::ErrorKind::InvalidInput
                        | std::io::ErrorKind::UnexpectedEof
                        | std::io::ErrorKind::Other
                ) =>
            {
                Failure::from(ZipError::Io(error))
            }
            other => other,
        });
        let place = format!("array {name:?}");
        Ok((name, parsed.map_err(|failure| failure.in_place(&place))?))
    }

    fn array(&mut self, index: usize) -> Result<Array, Error> {
        let path = self.path;
        let array = self.entry(index, npy::parse);
        array
            .map(|(_, array)| array)
            .map_err(|failure| failure.at(path))
    }

    fn table(mut self, wanted: &TableColumns) -> Result<Table, Error> {
        let path = self.path;
        let choice = Choice::of(&self.named, wanted).map_err(|problem| problem.at(path))?;
        let mut read = |index: Option<usize>| -> Result<Option<NamedArray>, Error> {
            let Some(index) = index else {
                return Ok(None);
            };
            let name = self.named[index].0.clone();
            let array = self.array(index)?;
            Ok(Some(NamedArray { name, array }))
        };
        let arrays = (read(choice.features)?, read(choice.labels)?);
        let names = self.named.into_iter().map(|(name, _)| name).collect();
        table("an NPZ file", arrays, names, path, wanted)
    }
}

impl<R: Read + Seek> Arrays<'_, R> {
    fn rewritten(mut self, wanted: &TableColumns, changes: &Rewrite) -> Result<Vec<u8>, Error> {
        let path = self.path;
        let choice = Choice::of(&self.named, wanted).map_err(|problem| problem.at(path))?;
        let rows = FileRows::of(&self.named, &choice);
        let new_labels = !changes.new_labels().is_empty();
        let mut writer = ZipWriter::new(Cursor::new(Vec::new())).set_auto_large_file();
        let written =
            |result: Result<(), ZipError>| result.map_err(|error| unwritten(&error).at(path));
        for index in 0..self.named.len() {
            let (_, bytes) = self
                .entry(index, |reader| {
                    let mut bytes = Vec::new();
                    reader.read_to_end(&mut bytes)?;
                    Ok(bytes)
                })
                .map_err(|failure| failure.at(path))?;
            let (name, shape) = &self.named[index];
            let axis = rows.axis(index, name, shape);
            let labels = rows.labels == Some(index);
            let axis = axis.filter(|_| changes.drops() || (labels && new_labels));
            let file = self.archive.by_index_raw(index);
            let file = file.map_err(|error| damaged(&error).at(path))?;
            let Some(axis) = axis else {
                written(writer.raw_copy_file(file))?;
                continue;
            };
            let raw = npy::raw(&bytes)
                .map_err(|failure| failure.in_place(&format!("array {name:?}")).at(path))?;
            let bytes = npy_rows::changed(&raw, axis, labels, changes, path)?;
            let options = file.options().name(file.name_raw());
            written(writer.start_file_with_options(options))?;
            written(writer.write_all(&bytes).map_err(ZipError::from))?;
        }
        // As the labels are stored.
        let like = rows.labels.or(choice.features).unwrap_or_default();
        let options = match self.archive.by_index_raw(like) {
            Ok(file) => file.options(),
            Err(error) => return Err(damaged(&error).at(path)),
        };
        for column in &changes.columns {
            let taken = self.named.iter().map(|(name, _)| name.as_str());
            let name = format!("{}.npy", column.free_name(&taken));
            written(writer.start_file(name, options))?;
            let bytes = added(column, changes, rows.count);
            written(writer.write_all(&bytes).map_err(ZipError::from))?;
        }
        let archive = writer.finish();
        let archive = archive.map_err(|error| unwritten(&error).at(path))?;
        Ok(archive.into_inner())
    }
}

/// An added column as an array: not a number, false and an empty text where there is no value.
fn added(column: &AddedColumn, changes: &Rewrite, rows: usize) -> Vec<u8> {
    let kept: Vec<usize> = changes.kept(rows).collect();
    let of = |kind, elements: Vec<u8>| {
        let mut bytes = npy::header(kind, &[kept.len()]);
        bytes.extend(elements);
        bytes
    };
    let each = kept.iter();
    match column.kind {
        AddedKind::Number => {
            let numbers = each.map(|&row| column.number(row).unwrap_or(f64::NAN));
            of("<f8", numbers.flat_map(f64::to_le_bytes).collect())
        }
        AddedKind::Boolean => {
            let said = each.map(|&row| u8::from(column.boolean(row).unwrap_or_default()));
            of("|b1", said.collect())
        }
        AddedKind::Label => {
            let texts: Vec<&str> = each
                .map(|&row| column.text(row).unwrap_or_default())
                .collect();
            npy::texts(&texts)
        }
    }
}

fn unwritten(error: &ZipError) -> Malformed {
    Malformed::new("an archive that can be written again", error.to_string())
}

fn damaged(error: &ZipError) -> Malformed {
    Malformed::new(
        "a whole ZIP archive",
        format!("it cut short or damaged: {error}"),
    )
}

impl From<ZipError> for Failure {
    fn from(error: ZipError) -> Self {
        Self::from(damaged(&error))
    }
}

#[cfg(test)]
mod tests {
    use zip::CompressionMethod;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::data::array::Values;
    use crate::data::changes::Edit;
    use crate::data::format::written::{labelled, relabel, written};

    /// The bytes of each member, and how it is packed.
    fn members(bytes: &[u8]) -> Vec<(String, CompressionMethod, Vec<u8>)> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        (0..archive.len())
            .map(|index| {
                let mut file = archive.by_index(index).unwrap();
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                (file.name().unwrap().into_owned(), file.compression(), bytes)
            })
            .collect()
    }

    fn array(kind: &str, shape: &[usize], elements: &[u8]) -> Vec<u8> {
        let mut bytes = npy::header(kind, shape);
        bytes.extend_from_slice(elements);
        bytes
    }

    /// Three rows, some arrays packed; complex numbers and records are not read.
    fn file(objects: bool) -> Vec<u8> {
        let doubles = |numbers: &[f64]| {
            numbers
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let fortran = npy::header("<f8", &[3, 2]);
        let fortran = String::from_utf8_lossy(&fortran[10..]).replace("False", "True ");
        let mut columns = npy::header("<f8", &[3, 2])[..10].to_vec();
        columns.extend(fortran.into_bytes());
        columns.extend(doubles(&[1., 2., 3., 4., 5., 6.]));
        let mut arrays = vec![
            ("x.npy", columns),
            ("y.npy", array(">i2", &[3], &[0, 1, 0, 2, 0, 1])),
            (
                "complex.npy",
                array(
                    "<c8",
                    &[3],
                    &[
                        1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,
                    ],
                ),
            ),
            (
                "record.npy",
                array("[('a', '|u1'), ('b', '|S1')]", &[3], b"1a2b3c"),
            ),
            ("lying.npy", array("|u1", &[1, 3], &[1, 2, 3])),
            ("x_test.npy", array("|u1", &[3, 1], &[1, 2, 3])),
            ("scale.npy", array("<f8", &[2], &doubles(&[1., 2.]))),
            ("one.npy", array("|u1", &[], &[7])),
        ];
        if objects {
            arrays.push(("names.npy", array("|O", &[3], b"pickle")));
        }
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (index, (name, bytes)) in arrays.iter().enumerate() {
            let method = match index % 2 {
                0 => CompressionMethod::Deflated,
                _ => CompressionMethod::Stored,
            };
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn changes(edits: Vec<Edit>) -> Rewrite {
        Rewrite {
            edits,
            columns: Vec::new(),
        }
    }

    fn write(bytes: &[u8], changes: &Rewrite) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        std::fs::write(&path, bytes).unwrap();
        let mut wanted = labelled("y");
        wanted.ignore = ["complex", "record", "lying", "x_test", "names"]
            .map(str::to_owned)
            .to_vec();
        written(&path, &wanted, changes)
    }

    #[test]
    fn arrays_of_rows_lose_rows_together() {
        let before = members(&file(false));
        let after = write(&file(false), &changes(vec![Edit::Keep, Edit::Drop])).unwrap();
        let after = members(&after);
        for (index, (old, new)) in before.iter().zip(&after).enumerate() {
            assert_eq!((&old.0, old.1), (&new.0, new.1));
            let raw = npy::raw(&new.2).ok().unwrap();
            match index {
                0 => {
                    let array = npy::parse(&mut &new.2[..]).ok().unwrap();
                    assert!(raw.fortran_order);
                    assert_eq!(array.values, Values::F64(vec![1., 4., 3., 6.]));
                }
                1 => assert_eq!(
                    (raw.kind.as_str(), raw.elements),
                    (">i2", &[0, 1, 0, 1][..])
                ),
                2 => assert_eq!((raw.shape[0], raw.elements.len()), (2, 16)),
                3 => assert_eq!(
                    (raw.kind.as_str(), raw.elements),
                    ("[('a', '|u1'), ('b', '|S1')]", &b"1a3c"[..])
                ),
                4 => assert_eq!((&raw.shape[..], raw.elements), (&[1, 2][..], &[1, 3][..])),
                _ => assert_eq!(old.2, new.2),
            }
        }
        let told = write(&file(true), &changes(vec![Edit::Drop])).unwrap_err();
        assert!(
            told.contains("array \"names\": expected elements of a fixed size"),
            "{told}"
        );
    }

    #[test]
    fn labels_keep_their_type_and_arrays_are_added() {
        let before = members(&file(true));
        let new = changes(vec![Edit::Keep, Edit::Label("300".to_owned())]);
        let after = members(&write(&file(true), &new).unwrap());
        for (index, (old, new)) in before.iter().zip(&after).enumerate() {
            if index == 1 {
                assert_eq!(new.2, array(">i2", &[3], &[0, 1, 1, 44, 0, 1]));
            } else {
                assert_eq!(old, new);
            }
        }
        let told = write(&file(true), &relabel(["40000", "1"])).unwrap_err();
        assert!(told.contains("can hold"), "{told}");
        let column = |name: &str, kind, texts: [&str; 3]| AddedColumn {
            name: name.to_owned(),
            kind,
            texts: texts.map(str::to_owned).to_vec(),
        };
        let added = Rewrite {
            edits: Vec::new(),
            columns: vec![
                column("one", AddedKind::Number, ["0.5", "", "1"]),
                column("suspect", AddedKind::Boolean, ["true", "false", ""]),
                column("suggested", AddedKind::Label, ["12", "", "é"]),
            ],
        };
        let after = members(&write(&file(true), &added).unwrap());
        assert_eq!(after[..before.len()], before[..]);
        let names: Vec<&str> = after[before.len()..]
            .iter()
            .map(|member| member.0.as_str())
            .collect();
        assert_eq!(names, ["one_.npy", "suspect.npy", "suggested.npy"]);
        let arrays = after[before.len()..].iter();
        let arrays: Vec<Array> = arrays
            .map(|member| npy::parse(&mut &member.2[..]).ok().unwrap())
            .collect();
        let Values::F64(weights) = &arrays[0].values else {
            panic!()
        };
        assert!(weights[0] == 0.5 && weights[1].is_nan() && weights[2] == 1.0);
        assert_eq!(arrays[1].values, Values::Bool(vec![true, false, false]));
        let texts = ["12", "", "é"].map(str::to_owned).to_vec();
        assert_eq!(arrays[2].values, Values::Text(texts));
    }
}
