//! MATLAB files, written again with changes.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::ops::Range;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::element::{
    COMPRESSED, HEADER, Head, MATRIX, Tag, is_big, rows_first, skip_padding, unpacking,
};
use crate::Error;
use crate::data::changes::{AddedColumn, AddedKind, Edit, Rewrite};
use crate::data::format::arrays::{Choice, FileRows};
use crate::data::format::file::Opened;
use crate::data::format::row_bytes::{RowBytes, blocks};
use crate::data::malformed::Malformed;
use crate::data::npy::Failure;
use crate::data::shape::shape_text;

/// Types of elements.
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const DOUBLE: u32 = 9;
/// Classes of arrays.
const CLASS_CELL: u8 = 1;
const CLASS_TEXT: u8 = 4;
const CLASS_DOUBLE: u8 = 6;
const CLASS_UINT8: u8 = 9;
/// Classes from here on are functions and objects, which are not stored as arrays are.
const CLASS_FUNCTION: u8 = 16;
/// The attribute of booleans.
const LOGICAL: u32 = 1 << 9;
/// Where the header says at which byte the data of objects begin.
const OBJECTS: Range<usize> = 116..124;

/// The file with changes: the arrays of the rows lose rows, the one of the labels gets other labels, and more arrays
/// follow the last one. All others are copied as they are.
pub(super) fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let bytes = opened.source.into_bytes();
    let bytes = bytes.map_err(|error| Error::reading(path, error))?;
    let wrong = |failure: Failure| failure.at(path);
    let big = is_big(&bytes).map_err(|problem| problem.at(path))?;
    let variables = variables(&bytes, big).map_err(wrong)?;
    let numbers: Vec<usize> = (0..variables.len())
        .filter(|&index| variables[index].numbers().is_some())
        .collect();
    let stored: Vec<&Head> = numbers
        .iter()
        .filter_map(|&index| variables[index].numbers())
        .collect();
    let all = stored.iter().map(|head| &head.shape[..]);
    let shapes: Vec<(String, Vec<usize>)> = stored
        .iter()
        .map(|head| (head.name(), rows_first(&head.shape, all.clone())))
        .collect();
    let choice = Choice::of(&shapes, wanted).map_err(|problem| problem.at(path))?;
    let rows = FileRows::of(&shapes, &choice);
    let labels = rows.labels.map(|labels| numbers[labels]);
    let relabels = !changes.new_labels().is_empty();
    let mut out = bytes[..HEADER].to_vec();
    let objects = number(bytes.get(OBJECTS).unwrap_or_default(), big);
    for (index, variable) in variables.iter().enumerate() {
        // No array of the user, though it is stored as one.
        let is_objects = objects == Some(variable.place.start as u64);
        if is_objects {
            let moved = (out.len() as u64).to_le_bytes();
            out[OBJECTS].copy_from_slice(&ordered(moved, big));
        }
        let has_labels = labels == Some(index);
        let head = variable.head.as_ref();
        let axis = head
            .filter(|_| !is_objects && (changes.drops() || (has_labels && relabels)))
            .and_then(|head| {
                let array = numbers.iter().position(|&known| known == index);
                let shape = rows_first(&head.shape, all.clone());
                let moved = shape != head.shape;
                let array = array.unwrap_or(numbers.len());
                let axis = rows.axis(array, &head.name(), &shape)?;
                Some(if moved { shape.len() - 1 } else { axis })
            });
        let (Some(head), Some(axis)) = (head, axis) else {
            out.extend_from_slice(&bytes[variable.place.clone()]);
            continue;
        };
        let array = Rows {
            head,
            axis,
            big,
            labels: has_labels,
            changes,
        };
        let changed = array.changed(&variable.content, path)?;
        variable.put(&changed, big, &mut out).map_err(wrong)?;
    }
    if let Some(labels) = labels {
        let like = &variables[labels];
        for column in &changes.columns {
            let taken = shapes.iter().map(|(name, _)| name.as_str());
            let name = column.free_name(&taken);
            let lying = matches!(&like.head, Some(head) if matches!(head.shape[..], [1, _]));
            let added = added(column, &name, changes, (rows.count, lying), big);
            let added = added.map_err(|problem| problem.at(path))?;
            like.put(&added, big, &mut out).map_err(wrong)?;
        }
    }
    Ok(out)
}

/// A variable of a file.
struct Variable<'a> {
    /// Its bytes in the file.
    place: Range<usize>,
    packed: bool,
    /// None of elements that are no arrays.
    head: Option<Head>,
    /// What is behind the head, unpacked.
    content: Cow<'a, [u8]>,
}

impl Variable<'_> {
    fn numbers(&self) -> Option<&Head> {
        self.head.as_ref().filter(|head| head.is_numbers())
    }

    /// Writes an array as this one is stored.
    fn put(&self, array: &[u8], big: bool, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut whole = tag(MATRIX, array.len(), big)?;
        whole.extend_from_slice(array);
        if self.packed {
            let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
            packed.write_all(&whole)?;
            let packed = packed.finish()?;
            out.extend(tag(COMPRESSED, packed.len(), big)?);
            out.extend(packed);
        } else {
            out.extend(whole);
        }
        Ok(())
    }
}

/// All variables of a file.
fn variables(bytes: &[u8], big: bool) -> Result<Vec<Variable<'_>>, Failure> {
    let mut all: Vec<Variable<'_>> = Vec::new();
    let mut rest = &bytes[HEADER..];
    while !rest.is_empty() {
        let start = bytes.len() - rest.len();
        let place = format!("element {}", all.len());
        let mut variable = || -> Result<Variable<'_>, Failure> {
            let whole = element(&mut rest, big)?;
            let mut packed = false;
            let array = match whole.0.kind {
                COMPRESSED => {
                    packed = true;
                    let mut unpacked = Vec::new();
                    let read = ZlibDecoder::new(whole.1).read_to_end(&mut unpacked);
                    read.map_err(|error| unpacking(error.into()))?;
                    let mut inside = &unpacked[..];
                    let (tag, content) = element(&mut inside, big)?;
                    (tag.kind == MATRIX).then(|| Cow::Owned(content.to_vec()))
                }
                MATRIX => Some(Cow::Borrowed(whole.1)),
                _ => None,
            };
            let mut head = None;
            let content = match array {
                Some(array) => {
                    let mut rest = &array[..];
                    let read = Head::read(&mut rest, big)?;
                    head = Some(read).filter(|head| head.class < CLASS_FUNCTION);
                    let behind = array.len() - rest.len();
                    match array {
                        Cow::Borrowed(array) => Cow::Borrowed(&array[behind..]),
                        Cow::Owned(array) => Cow::Owned(array[behind..].to_vec()),
                    }
                }
                None => Cow::Borrowed(whole.1),
            };
            let place = start..bytes.len() - rest.len();
            Ok(Variable {
                place,
                packed,
                head,
                content,
            })
        };
        all.push(variable().map_err(|failure| failure.in_place(&place))?);
    }
    Ok(all)
}

/// The next element: its tag and bytes. What is packed is not padded.
fn element<'a>(rest: &mut &'a [u8], big: bool) -> Result<(Tag, &'a [u8]), Failure> {
    let whole = *rest;
    let tag = Tag::read(rest, big)?;
    let tag = tag.ok_or_else(|| Malformed::new("an element", "the end of the array"))?;
    let size = tag.size as usize;
    if tag.inside.is_some() {
        // Behind four bytes of type and size.
        return Ok((tag, whole.get(4..4 + size).unwrap_or_default()));
    }
    let Some((bytes, behind)) = rest.split_at_checked(size) else {
        let expected = format!("an element of {size} bytes");
        return Err(Malformed::new(expected, format!("{} bytes", rest.len())).into());
    };
    *rest = behind;
    if tag.kind != COMPRESSED {
        skip_padding(rest, tag.size)?;
    }
    Ok((tag, bytes))
}

/// An array whose rows are to be changed.
struct Rows<'a> {
    head: &'a Head,
    /// Which axis counts the rows.
    axis: usize,
    big: bool,
    /// Whether it has the labels.
    labels: bool,
    changes: &'a Rewrite,
}

impl Rows<'_> {
    /// The array without tag, from what is behind its head.
    fn changed(&self, content: &[u8], path: &std::path::Path) -> Result<Vec<u8>, Error> {
        let wrong = |failure: Failure| failure.at(path);
        let (head, big) = (self.head, self.big);
        let count = head.count().map_err(wrong)?;
        let rows = head.shape[self.axis];
        let mut shape = head.shape.clone();
        shape[self.axis] = self.changes.kept(rows).count();
        let mut out = array_head(&head.flags, &shape, &head.name, big).map_err(wrong)?;
        let mut rest = content;
        if head.class == CLASS_CELL {
            let stride: usize = head.shape[..self.axis].iter().product();
            for cell in 0..count {
                let before = rest;
                element(&mut rest, big).map_err(|failure| wrong(self.named(failure)))?;
                let row = cell / stride.max(1) % rows.max(1);
                if *self.changes.edit(row) != Edit::Drop {
                    out.extend_from_slice(&before[..before.len() - rest.len()]);
                }
            }
            return Ok(out);
        }
        if !head.is_numbers() && head.class != CLASS_TEXT {
            let shape = shape_text(&head.shape);
            let found = format!("a struct, an object or a sparse matrix of {shape}");
            let expected = "arrays of numbers, texts or cells where an array has as many rows";
            let problem = head.wrong(expected, found);
            let remedy = "convert it with full or struct2cell, or save the file without it";
            return Err(wrong(match problem {
                Failure::Problem(problem) => problem.remedy(remedy).into(),
                read @ Failure::Read(_) => read,
            }));
        }
        // The real part, and perhaps the imaginary one.
        while !rest.is_empty() {
            let part = element(&mut rest, big);
            let (tag, bytes) = part.map_err(|failure| wrong(self.named(failure)))?;
            let size = size(tag.kind).unwrap_or_default();
            if size == 0 || bytes.len() != count * size {
                let expected = format!("{count} elements of one size");
                let found = format!("{} bytes of type {}", bytes.len(), tag.kind);
                return Err(wrong(head.wrong(&expected, found)));
            }
            let element = |label: &str| of_label(tag.kind, label, big);
            let changed = RowBytes {
                path,
                rows,
                blocks: blocks(&head.shape, self.axis, true),
                bytes,
                element: self.labels.then_some(&element),
            };
            let (changed, _) = changed.changed(self.changes)?;
            put(tag.kind, &changed, big, &mut out).map_err(wrong)?;
        }
        Ok(out)
    }

    fn named(&self, failure: Failure) -> Failure {
        failure.in_place(&format!("array {:?}", self.head.name()))
    }
}

/// Bytes that a number or letter of a type takes; in UTF-8 letters differ, unless all are ASCII.
fn size(kind: u32) -> Option<usize> {
    Some(match kind {
        INT8 | UINT8 | 16 => 1,
        3 | 4 | 17 => 2,
        INT32 | UINT32 | 7 | 18 => 4,
        DOUBLE | 12 | 13 => 8,
        _ => return None,
    })
}

/// The bytes of a number of a type that is this label, if there is one.
fn of_label(kind: u32, label: &str, big: bool) -> Option<Vec<u8>> {
    macro_rules! number {
        ($type:ty) => {
            ordered(label.parse::<$type>().ok()?.to_le_bytes(), big).to_vec()
        };
    }
    Some(match kind {
        INT8 => number!(i8),
        UINT8 => number!(u8),
        3 => number!(i16),
        4 => number!(u16),
        INT32 => number!(i32),
        UINT32 => number!(u32),
        7 => number!(f32),
        DOUBLE => number!(f64),
        12 => number!(i64),
        13 => number!(u64),
        _ => return None,
    })
}

/// An added column as an array without tag: not a number and false where there is no value.
fn added(
    column: &AddedColumn,
    name: &str,
    changes: &Rewrite,
    (rows, lying): (usize, bool),
    big: bool,
) -> Result<Vec<u8>, Malformed> {
    let kept: Vec<usize> = changes.kept(rows).collect();
    let (class, kind, bytes): (u32, u32, Vec<u8>) = match column.kind {
        AddedKind::Number | AddedKind::Label => {
            let mut bytes = Vec::with_capacity(8 * kept.len());
            for &row in &kept {
                let value = match column.text(row) {
                    Some(text) => exact(text).ok_or_else(|| {
                        let expected = "labels that are numbers in double precision";
                        Malformed::new(expected, format!("{text:?}")).in_place(format!("row {row}"))
                    })?,
                    None => f64::NAN,
                };
                bytes.extend(ordered(f64::to_le_bytes(value), big));
            }
            (u32::from(CLASS_DOUBLE), DOUBLE, bytes)
        }
        AddedKind::Boolean => {
            let said = kept.iter().map(|&row| column.boolean(row));
            let bytes = said.map(|said| u8::from(said.unwrap_or_default()));
            (u32::from(CLASS_UINT8) | LOGICAL, UINT8, bytes.collect())
        }
    };
    let mut flags = ordered(class.to_le_bytes(), big).to_vec();
    flags.extend([0; 4]);
    let shape = if lying {
        [1, kept.len()]
    } else {
        [kept.len(), 1]
    };
    let whole = || -> Result<Vec<u8>, Failure> {
        let mut out = array_head(&flags, &shape, name.as_bytes(), big)?;
        put(kind, &bytes, big, &mut out)?;
        Ok(out)
    };
    whole().map_err(|failure| match failure {
        Failure::Problem(problem) => problem,
        Failure::Read(error) => Malformed::new("an array that can be written", error.to_string()),
    })
}

/// The number that a text says; None of an integer with more digits than a number has.
fn exact(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let other = text
        .parse::<i128>()
        .is_ok_and(|integer| number as i128 != integer);
    (!other).then_some(number)
}

/// What an array begins with.
fn array_head(flags: &[u8], shape: &[usize], name: &[u8], big: bool) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    put(UINT32, flags, big, &mut out)?;
    // No longer than they were, or than a file that has 32 bits for each.
    let lengths = shape.iter().map(|&length| (length as u32).to_le_bytes());
    let lengths: Vec<u8> = lengths.flat_map(|length| ordered(length, big)).collect();
    put(INT32, &lengths, big, &mut out)?;
    put(INT8, name, big, &mut out)?;
    Ok(out)
}

/// Writes an element, padded; few bytes stand in its tag.
fn put(kind: u32, bytes: &[u8], big: bool, out: &mut Vec<u8>) -> Result<(), Failure> {
    if (1..=4).contains(&bytes.len()) {
        let both = kind | ((bytes.len() as u32) << 16);
        out.extend(ordered(both.to_le_bytes(), big));
        out.extend_from_slice(bytes);
    } else {
        out.extend(tag(kind, bytes.len(), big)?);
        out.extend_from_slice(bytes);
    }
    out.resize(out.len().next_multiple_of(8), 0);
    Ok(())
}

fn tag(kind: u32, length: usize, big: bool) -> Result<Vec<u8>, Failure> {
    let length = u32::try_from(length).map_err(|_| {
        let expected = "arrays below 4 GiB, the most that this format has";
        Malformed::new(expected, format!("one of {length} bytes"))
    })?;
    let mut bytes = ordered(kind.to_le_bytes(), big).to_vec();
    bytes.extend(ordered(length.to_le_bytes(), big));
    Ok(bytes)
}

/// Bytes with the lowest first in the order of a file.
fn ordered<const N: usize>(mut bytes: [u8; N], big: bool) -> [u8; N] {
    if big {
        bytes.reverse();
    }
    bytes
}

fn number(bytes: &[u8], big: bool) -> Option<u64> {
    let bytes = *bytes.first_chunk()?;
    Some(u64::from_le_bytes(ordered(bytes, big)))
}
