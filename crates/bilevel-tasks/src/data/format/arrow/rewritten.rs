//! Arrow files and streams, written again with changes.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::filter::filter_record_batch;

use super::labels::{Cell, Failure, LabelColumn};
use super::messages::Contents;
use super::opened::{contents, lost};
use crate::Error;
use crate::data::changes::{AddedKind, Edit, Rewrite};
use crate::data::format::file::Opened;
use crate::data::guarded::guarded;
use crate::data::header::{Header, Role};
use crate::data::malformed::Malformed;

/// Messages and buffers begin at multiples of this, as the format has it.
const ALIGNMENT: usize = 8;

/// The file with changes: batches, types, metadata and packing stay.
pub(super) fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let contents = contents(opened.source, path)?;
    let names = contents.schema.fields().iter();
    let names: Vec<String> = names.map(|field| field.name().clone()).collect();
    let header = Header::new(names, 1);
    let assigned = header.assign(wanted).map_err(|problem| problem.at(path))?;
    let label = assigned.roles.iter().position(|role| *role == Role::Label);
    let labels = label.map(|column| {
        let arrays = contents.batches.iter();
        let labels = LabelColumn {
            arrays: arrays.map(|batch| batch.column(column).as_ref()).collect(),
            name: &header.names[column],
            path,
            wanted,
        };
        (column, labels)
    });
    let written = guarded(|| {
        let (schema, batches) = changed(&contents, labels.as_ref(), changes)?;
        write(&contents, &schema, &batches).map_err(Failure::Arrow)
    });
    written
        .ok_or_else(|| lost(path))?
        .map_err(|failure| match failure {
            Failure::Other(error) => error,
            Failure::Arrow(error) => {
                let found = error.to_string();
                Malformed::new("columns of types that are written", found).at(path)
            }
        })
}

/// The schema and the batches with changes.
fn changed(
    contents: &Contents,
    labels: Option<&(usize, LabelColumn<'_>)>,
    changes: &Rewrite,
) -> Result<(Schema, Vec<RecordBatch>), Failure> {
    let mut fields = contents.schema.fields().to_vec();
    let batches = contents.batches.iter();
    let mut columns: Vec<Vec<ArrayRef>> = batches.map(|batch| batch.columns().to_vec()).collect();
    if let Some((column, labels)) = labels
        && !changes.new_labels().is_empty()
    {
        let new = labels.with(|row| match changes.edit(row) {
            Edit::Label(label) => Cell::Label(label),
            Edit::Keep | Edit::Drop => Cell::Own,
        })?;
        for (columns, new) in columns.iter_mut().zip(new) {
            columns[*column] = new;
        }
    }
    for added in &changes.columns {
        let taken = contents.schema.fields().iter();
        let name = added.free_name(&taken.map(|field| field.name().as_str()));
        let each = |array: &dyn Fn(std::ops::Range<usize>) -> ArrayRef| {
            let mut start = 0;
            let mut arrays = Vec::new();
            for batch in &contents.batches {
                arrays.push(array(start..start + batch.num_rows()));
                start += batch.num_rows();
            }
            arrays
        };
        let (kind, new) = match (added.kind, labels) {
            (AddedKind::Number, _) => {
                let numbers = each(&|rows| {
                    Arc::new(rows.map(|row| added.number(row)).collect::<Float64Array>())
                });
                (DataType::Float64, numbers)
            }
            (AddedKind::Boolean, _) => {
                let said = each(&|rows| {
                    Arc::new(rows.map(|row| added.boolean(row)).collect::<BooleanArray>())
                });
                (DataType::Boolean, said)
            }
            (AddedKind::Label, Some((column, labels))) => {
                let suggested =
                    labels.with(|row| added.text(row).map_or(Cell::None, Cell::Label))?;
                (fields[*column].data_type().clone(), suggested)
            }
            (AddedKind::Label, None) => continue,
        };
        let ordered = labels.and_then(|(column, _)| fields[*column].dict_is_ordered());
        let field = Field::new(name, kind, true).with_dict_is_ordered(ordered.unwrap_or_default());
        fields.push(Arc::new(field));
        for (columns, new) in columns.iter_mut().zip(new) {
            columns.push(new);
        }
    }
    let schema = Schema::new_with_metadata(fields, contents.schema.metadata().clone());
    let shared = Arc::new(schema.clone());
    let mut start = 0;
    let mut batches = Vec::with_capacity(columns.len());
    for (columns, old) in columns.into_iter().zip(&contents.batches) {
        let rows = start..start + old.num_rows();
        start = rows.end;
        let batch = RecordBatch::try_new(shared.clone(), columns)?;
        if !changes.drops() {
            batches.push(batch);
            continue;
        }
        let kept = rows.map(|row| Some(*changes.edit(row) != Edit::Drop));
        let kept = filter_record_batch(&batch, &kept.collect::<BooleanArray>())?;
        // A batch without rows would have lost its dictionaries.
        if kept.num_rows() > 0 {
            batches.push(kept);
        }
    }
    Ok((schema, batches))
}

fn write(
    contents: &Contents,
    schema: &Schema,
    batches: &[RecordBatch],
) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?
        .try_with_compression(contents.packed)?
        .with_dictionary_handling(DictionaryHandling::Delta);
    if contents.is_file {
        let mut writer = FileWriter::try_new_with_options(Vec::new(), schema, options)?;
        for (key, value) in &contents.notes {
            writer.write_metadata(key, value);
        }
        batches.iter().try_for_each(|batch| writer.write(batch))?;
        writer.into_inner()
    } else {
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), schema, options)?;
        batches.iter().try_for_each(|batch| writer.write(batch))?;
        writer.into_inner()
    }
}
