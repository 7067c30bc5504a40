//! Parquet files, written again with changes.

use std::any::Any;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding};
use ::parquet::column::reader::ColumnReader;
use ::parquet::column::writer::ColumnCloseResult;
use ::parquet::data_type::{BoolType, DataType, DoubleType};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::ColumnDescriptor;

use super::chunks::{Columns, damaged, lost, open};
use super::columns::{BATCH, name};
use super::labels::{LabelColumn, Values, by_type};
use super::schema::{with_column, with_types};
use crate::Error;
use crate::data::changes::{AddedColumn, AddedKind, Edit, Rewrite};
use crate::data::format::file::Opened;
use crate::data::guarded::guarded;
use crate::data::header::{Header, Role};
use crate::data::malformed::Malformed;

/// The file with changes. Groups of rows stay; where a column of a group has no change, its bytes do.
pub(super) fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let columns = open(opened.source, path)?;
    let schema = columns.metadata().file_metadata().schema_descr_ptr();
    let leaves = schema.columns();
    let header = Header::new(leaves.iter().map(|leaf| name(leaf)).collect(), 1);
    let assigned = header.assign(wanted).map_err(|problem| problem.at(path))?;
    let label = assigned.roles.iter().position(|role| *role == Role::Label);
    let mut new: BTreeSet<&str> = changes.new_labels();
    let suggested = changes
        .columns
        .iter()
        .filter(|column| column.kind == AddedKind::Label);
    new.extend(suggested.flat_map(|column| column.texts.iter().map(String::as_str)));
    new.remove("");
    let values = label.filter(|_| !new.is_empty()).map(|column| {
        let labels = LabelColumn {
            columns: &columns,
            column,
            leaf: &leaves[column],
            name: &header.names[column],
            path,
            wanted,
        };
        let values = guarded(|| labels.values(&new));
        values.unwrap_or_else(|| Err(damaged(&lost()).at(path)))
    });
    let taken = header.names.iter().map(String::as_str);
    let added = changes.columns.iter();
    let added = added.map(|column| (column.free_name(&taken), column));
    let file = Rewritten {
        columns: &columns,
        label,
        values: values.transpose()?,
        added: added.collect(),
        changes,
    };
    let written = guarded(|| file.written()).unwrap_or_else(|| Err(lost().into()));
    written.map_err(|failure| match failure {
        Failure::Parquet(error) => damaged(&error).at(path),
        Failure::Problem(problem) => problem.at(path),
    })
}

enum Failure {
    Parquet(ParquetError),
    Problem(Malformed),
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

struct Rewritten<'a> {
    columns: &'a Columns,
    /// The column of labels.
    label: Option<usize>,
    /// Its [`Values`].
    values: Option<Box<dyn Any>>,
    added: Vec<(String, &'a AddedColumn)>,
    changes: &'a Rewrite,
}

impl Rewritten<'_> {
    fn written(&self) -> Result<Vec<u8>, Failure> {
        let metadata = self.columns.metadata();
        let known = metadata.file_metadata().schema_descr();
        let label = self.label.map(|column| known.column(column));
        let label = label.as_deref();
        let mut schema = known.root_schema_ptr();
        for (name, column) in &self.added {
            schema = with_column(&schema, name, column.kind, label)?;
        }
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(self.properties(label)))?;
        let mut start = 0;
        for (number, group) in metadata.row_groups().iter().enumerate() {
            let length = usize::try_from(group.num_rows()).unwrap_or_default();
            let rows = start..start + length;
            start = rows.end;
            let drops = rows
                .clone()
                .any(|row| *self.changes.edit(row) == Edit::Drop);
            if drops
                && rows
                    .clone()
                    .all(|row| *self.changes.edit(row) == Edit::Drop)
            {
                continue;
            }
            let mut out = writer.next_row_group()?;
            for (column, chunk) in group.columns().iter().enumerate() {
                let relabels = self.label == Some(column) && self.relabels(rows.clone());
                if drops || relabels || !is_in_order(chunk) {
                    let reader = self.columns.of_group(number, column)?;
                    if let Some(mut column) = out.next_column()? {
                        let leaf = chunk.column_descr();
                        by_type!(leaf.physical_type(), T => {
                            let values = self.values.as_ref().filter(|_| relabels);
                            let values = values.and_then(|values| values.downcast_ref::<Values<T>>());
                            self.encode(reader, leaf, values, rows.clone(), &mut column)?;
                        });
                        column.close()?;
                    }
                } else {
                    out.append_column(&self.columns.chunks, copied(chunk, group))?;
                }
            }
            for (_, added) in &self.added {
                if let Some(mut column) = out.next_column()? {
                    self.add(added, rows.clone(), label, &mut column)?;
                    column.close()?;
                }
            }
            out.close()?;
        }
        Ok(writer.into_inner()?)
    }

    fn relabels(&self, mut rows: Range<usize>) -> bool {
        rows.any(|row| matches!(self.changes.edit(row), Edit::Label(_)))
    }

    /// How columns are packed and encoded, as in the first group.
    fn properties(&self, label: Option<&ColumnDescriptor>) -> WriterProperties {
        let metadata = self.columns.metadata();
        let file = metadata.file_metadata();
        let mut properties = WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true);
        if let Some(said) = file.key_value_metadata() {
            let said = with_types(said.clone(), &self.added, label);
            properties = properties.set_key_value_metadata(Some(said));
        }
        if let Some(created_by) = file.created_by() {
            properties = properties.set_created_by(created_by.to_owned());
        }
        let Some(group) = metadata.row_groups().first() else {
            return properties.build();
        };
        // Rows stay in their order, unless labels that they are sorted by are replaced.
        if let Some(sorting) = group.sorting_columns() {
            let relabels = !self.changes.new_labels().is_empty();
            let by_label = |column: i32| relabels && self.label == usize::try_from(column).ok();
            let sorting = sorting.iter().take_while(|by| !by_label(by.column_idx));
            let sorting: Vec<_> = sorting.cloned().collect();
            properties = properties.set_sorting_columns(Some(sorting));
        }
        for chunk in group.columns() {
            let path = chunk.column_path().clone();
            let packed = match chunk.compression() {
                // The older form is read by few.
                Compression::LZ4 => Compression::LZ4_RAW,
                packed => packed,
            };
            let dictionary = chunk.dictionary_page_offset().is_some();
            properties = properties
                .set_column_compression(path.clone(), packed)
                .set_column_dictionary_enabled(path.clone(), dictionary);
            let special = chunk.encodings().find(|encoding| {
                matches!(
                    encoding,
                    Encoding::DELTA_BINARY_PACKED
                        | Encoding::DELTA_LENGTH_BYTE_ARRAY
                        | Encoding::DELTA_BYTE_ARRAY
                        | Encoding::BYTE_STREAM_SPLIT
                )
            });
            if let Some(encoding) = special {
                properties = properties.set_column_encoding(path, encoding);
            }
        }
        // Columns that are added are packed as the labels are.
        let like = self.label.and_then(|column| group.columns().get(column));
        if let Some(like) = like {
            let packed = properties.build();
            let compression = packed.compression(like.column_path());
            properties = packed.into_builder().set_compression(compression);
        }
        properties.build()
    }

    /// Writes the cells of a column that are kept.
    fn encode<T: DataType>(
        &self,
        reader: ColumnReader,
        leaf: &ColumnDescriptor,
        labels: Option<&Values<T>>,
        rows: Range<usize>,
        to: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), Failure> {
        let (Some(mut reader), Some(writer)) = (
            T::get_column_reader(reader),
            T::get_column_writer_mut(to.untyped()),
        ) else {
            return Ok(());
        };
        let (most, lists) = (leaf.max_def_level(), leaf.max_rep_level() > 0);
        let mut next = rows.start;
        let mut edit = &Edit::Keep;
        loop {
            let (mut definitions, mut repetitions, mut values) =
                (Vec::new(), Vec::new(), Vec::new());
            let (records, _, levels) = reader.read_records(
                BATCH,
                Some(&mut definitions),
                Some(&mut repetitions),
                &mut values,
            )?;
            if records == 0 && levels == 0 {
                break;
            }
            let mut kept = Kept::<T> {
                definitions: Vec::with_capacity(definitions.len()),
                repetitions: Vec::with_capacity(repetitions.len()),
                values: Vec::with_capacity(values.len()),
            };
            let mut values = values.into_iter();
            for at in 0..levels {
                let repetition = repetitions.get(at).copied().unwrap_or_default();
                let definition = definitions.get(at).copied().unwrap_or(most);
                if repetition == 0 {
                    edit = self.changes.edit(next);
                    next += 1;
                }
                let value = (definition == most).then(|| values.next()).flatten();
                let new = match (edit, labels) {
                    (Edit::Drop, _) => continue,
                    (Edit::Label(label), Some(labels)) => labels.of(label).cloned(),
                    _ => None,
                };
                if new.is_some() && value.is_none() && leaf.path().parts().len() > 1 {
                    let found = format!("a missing one in row {}", next - 1);
                    let problem = Malformed::new("a label in the struct that is relabelled", found);
                    return Err(Failure::Problem(problem));
                }
                let value = new.or(value);
                kept.definitions
                    .push(if value.is_some() { most } else { definition });
                kept.repetitions.push(repetition);
                kept.values.extend(value);
            }
            let definitions = (most > 0).then_some(&kept.definitions[..]);
            let repetitions = lists.then_some(&kept.repetitions[..]);
            writer.write_batch(&kept.values, definitions, repetitions)?;
        }
        if next == rows.end {
            Ok(())
        } else {
            let found = format!(
                "{} cells in a column of {} rows",
                next - rows.start,
                rows.len()
            );
            Err(ParquetError::General(found).into())
        }
    }

    /// Writes a new column: no value where it says nothing.
    fn add(
        &self,
        added: &AddedColumn,
        rows: Range<usize>,
        label: Option<&ColumnDescriptor>,
        to: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), Failure> {
        let kept = rows.filter(|&row| *self.changes.edit(row) != Edit::Drop);
        match (added.kind, label) {
            (AddedKind::Number, _) => optional::<DoubleType>(kept.map(|row| added.number(row)), to),
            (AddedKind::Boolean, _) => optional::<BoolType>(kept.map(|row| added.boolean(row)), to),
            (AddedKind::Label, None) => optional::<BoolType>(kept.map(|_| None), to),
            (AddedKind::Label, Some(leaf)) => by_type!(leaf.physical_type(), T => {
                let values = self.values.as_ref();
                let values = values.and_then(|values| values.downcast_ref::<Values<T>>());
                let cell = |row| values?.of(added.text(row)?).cloned();
                optional::<T>(kept.map(cell), to)
            }),
        }
    }
}

/// The cells of a column that are kept.
struct Kept<T: DataType> {
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    values: Vec<T::T>,
}

fn optional<T: DataType>(
    cells: impl Iterator<Item = Option<T::T>>,
    to: &mut SerializedColumnWriter<'_>,
) -> Result<(), Failure> {
    let (mut definitions, mut values) = (Vec::new(), Vec::new());
    for cell in cells {
        definitions.push(i16::from(cell.is_some()));
        values.extend(cell);
    }
    if let Some(writer) = T::get_column_writer_mut(to.untyped()) {
        writer.write_batch(&values, Some(&definitions), None)?;
    }
    Ok(())
}

/// Whether the dictionary of a column is where its bytes begin, as it should be; some old writers say otherwise.
fn is_in_order(chunk: &ColumnChunkMetaData) -> bool {
    let data = chunk.data_page_offset();
    let dictionary = chunk.dictionary_page_offset();
    data > 0 && dictionary.is_none_or(|dictionary| dictionary > 0 && dictionary < data)
}

/// What is said of the bytes of a column that are copied.
fn copied(chunk: &ColumnChunkMetaData, group: &RowGroupMetaData) -> ColumnCloseResult {
    ColumnCloseResult {
        bytes_written: u64::try_from(chunk.compressed_size()).unwrap_or_default(),
        rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
        metadata: chunk.clone(),
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    }
}
