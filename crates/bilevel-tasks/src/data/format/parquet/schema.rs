//! What a Parquet file says of its columns, with more of them.

use std::sync::Arc;

use ::parquet::basic::{Repetition, Type as Physical};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::schema::types::{ColumnDescriptor, Type, TypePtr};
use arrow_ipc::root_as_message;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{DataType, Field, Schema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::data::changes::{AddedColumn, AddedKind};

/// The key under which Arrow keeps its own types.
const ARROW: &str = "ARROW:schema";
/// What a message of Arrow begins with, before its length.
const MARK: [u8; 4] = [0xff; 4];

/// The schema with a column of this name behind the others; of labels, the type is that of the known ones.
pub(super) fn with_column(
    schema: &Type,
    name: &str,
    kind: AddedKind,
    label: Option<&ColumnDescriptor>,
) -> Result<TypePtr, ParquetError> {
    let own = match (kind, label) {
        (AddedKind::Number, _) => Type::primitive_type_builder(name, Physical::DOUBLE),
        (AddedKind::Boolean, _) | (AddedKind::Label, None) => {
            Type::primitive_type_builder(name, Physical::BOOLEAN)
        }
        (AddedKind::Label, Some(leaf)) => Type::primitive_type_builder(name, leaf.physical_type())
            .with_converted_type(leaf.converted_type())
            .with_logical_type(leaf.logical_type_ref().cloned())
            .with_length(leaf.type_length())
            .with_precision(leaf.type_precision())
            .with_scale(leaf.type_scale()),
    };
    let own = own.with_repetition(Repetition::OPTIONAL).build()?;
    let mut fields = schema.get_fields().to_vec();
    fields.push(Arc::new(own));
    let whole = Type::group_type_builder(schema.name()).with_fields(fields);
    Ok(Arc::new(whole.build()?))
}

/// What a file says besides, where it has the types of Arrow with those of the added columns, whose names are given.
pub(super) fn with_types(
    mut said: Vec<KeyValue>,
    added: &[(String, &AddedColumn)],
    label: Option<&ColumnDescriptor>,
) -> Vec<KeyValue> {
    for pair in &mut said {
        if pair.key == ARROW && !added.is_empty() {
            let longer = pair
                .value
                .as_deref()
                .and_then(|text| longer(text, added, label));
            // What cannot be understood stays as it is.
            pair.value = longer.or(pair.value.take());
        }
    }
    said
}

fn longer(
    text: &str,
    added: &[(String, &AddedColumn)],
    label: Option<&ColumnDescriptor>,
) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    let message = match bytes.strip_prefix(&MARK) {
        Some(rest) => rest.get(4..)?,
        None => &bytes[..],
    };
    let message = root_as_message(message).ok()?.header_as_schema()?;
    let schema = arrow_ipc::convert::try_fb_to_schema(message).ok()?;
    let mut fields = schema.fields().to_vec();
    for (name, column) in added {
        let field = match column.kind {
            AddedKind::Number => Field::new(name, DataType::Float64, true),
            AddedKind::Boolean => Field::new(name, DataType::Boolean, true),
            AddedKind::Label => {
                let own = leaf_field(&schema, label?.path().parts())?;
                let ordered = own.dict_is_ordered().unwrap_or_default();
                Field::new(name, own.data_type().clone(), true).with_dict_is_ordered(ordered)
            }
        };
        fields.push(Arc::new(field));
    }
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let message = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
        &schema,
        &mut DictionaryTracker::new(true),
        &IpcWriteOptions::default(),
    );
    let message = message.ipc_message;
    let mut bytes = MARK.to_vec();
    bytes.extend(u32::try_from(message.len()).ok()?.to_le_bytes());
    bytes.extend(message);
    Some(BASE64_STANDARD.encode(bytes))
}

/// The field at the end of a path through structs.
fn leaf_field<'a>(schema: &'a Schema, path: &[String]) -> Option<&'a Field> {
    let mut fields = schema.fields();
    let (last, groups) = path.split_last()?;
    for name in groups {
        let (_, group) = fields.find(name)?;
        let DataType::Struct(inner) = group.data_type() else {
            return None;
        };
        fields = inner;
    }
    fields.find(last).map(|(_, field)| field.as_ref())
}
