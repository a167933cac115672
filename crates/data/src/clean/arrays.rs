//! Other texts in the place of some texts of Arrow arrays.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    BinaryViewType, ByteArrayType, ByteViewType, Int16Type, Int32Type, Int64Type, RunEndIndexType, StringViewType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, FixedSizeListArray, GenericListArray,
    GenericListViewArray, LargeBinaryArray, LargeStringArray, MapArray, OffsetSizeTrait, RecordBatch,
    RecordBatchOptions, StringArray, StringViewArray, StructArray, UInt64Array, UnionArray, new_empty_array,
    new_null_array,
};
use arrow_array::{GenericByteArray, GenericByteViewArray};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::dictionary::garbage_collect_any_dictionary;
use arrow_select::take::take;

use super::edit::Edit;

/// Changes by the place of the element.
type Edits<'a> = BTreeMap<usize, &'a Edit>;

/// True where a column of that type can take the changes.
pub(super) fn takes(kind: &DataType, edit: &Edit) -> bool {
    match (kind, edit) {
        (
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView,
            Edit::Text(_),
        ) => true,
        (
            DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) | DataType::Map(of, _),
            Edit::Inside(inner),
        ) => inner.values().all(|edit| takes(of.data_type(), edit)),
        (DataType::Struct(fields), Edit::Inside(inner)) => {
            inner.iter().all(|(at, edit)| fields.get(*at as usize).is_some_and(|field| takes(field.data_type(), edit)))
        }
        _ => false,
    }
}

/// Most values of the lists of a batch that may share them.
const SHARED: usize = 1 << 26;
/// Deepest nesting that is written.
const DEEPEST: usize = 64;

/// The same rows under a schema, in arrays that hold nothing else. Filters leave what they take away in the buffers of
/// views and in the values of dictionaries, and texts may be under nulls.
pub(super) fn compacted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns: Result<Vec<ArrayRef>, ArrowError> =
        batch.columns().iter().map(|column| compact(column, DEEPEST)).collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns?, &rows)
}

fn compact(of: &ArrayRef, deep: usize) -> Result<ArrayRef, ArrowError> {
    let Some(deep) = deep.checked_sub(1) else {
        return Err(ArrowError::NotYetImplemented(format!("columns nested deeper than {DEEPEST}")));
    };
    Ok(match of.data_type() {
        DataType::Utf8 => Arc::new(StringArray::from_iter(of.as_string::<i32>())),
        DataType::LargeUtf8 => Arc::new(LargeStringArray::from_iter(of.as_string::<i64>())),
        DataType::Binary => Arc::new(BinaryArray::from_iter(of.as_binary::<i32>())),
        DataType::LargeBinary => Arc::new(LargeBinaryArray::from_iter(of.as_binary::<i64>())),
        DataType::Utf8View => Arc::new(StringViewArray::from_iter(of.as_string_view())),
        DataType::BinaryView => Arc::new(BinaryViewArray::from_iter(of.as_binary_view())),
        DataType::FixedSizeBinary(size) => {
            let values = of.as_fixed_size_binary().iter();
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, *size)?)
        }
        DataType::Dictionary(..) => {
            let used = garbage_collect_any_dictionary(of.as_any_dictionary())?;
            let used = used.as_any_dictionary();
            used.with_values(compact(used.values(), deep)?)
        }
        DataType::List(_) => Arc::new(items(taken(of)?.as_list::<i32>(), deep)?),
        DataType::LargeList(_) => Arc::new(items(taken(of)?.as_list::<i64>(), deep)?),
        DataType::FixedSizeList(field, size) => {
            let of = taken(of)?;
            let lists = of.as_fixed_size_list();
            let values = compact(lists.values(), deep)?;
            let nulls = lists.nulls().cloned();
            Arc::new(FixedSizeListArray::try_new_with_length(Arc::clone(field), *size, values, nulls, lists.len())?)
        }
        DataType::Map(field, sorted) => {
            let of = taken(of)?;
            let maps = of.as_map();
            let entries: ArrayRef = Arc::new(maps.entries().clone());
            let entries = compact(&entries, deep)?.as_struct().clone();
            let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
            Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, nulls, *sorted)?)
        }
        DataType::Struct(fields) => {
            let of = taken(of)?;
            let parts = of.as_struct();
            let columns: Result<Vec<ArrayRef>, ArrowError> =
                parts.columns().iter().map(|column| compact(column, deep)).collect();
            let nulls = parts.nulls().cloned();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns?, nulls, parts.len())?)
        }
        DataType::ListView(_) => Arc::new(views_of::<i32>(of.as_list_view(), deep)?),
        DataType::LargeListView(_) => Arc::new(views_of::<i64>(of.as_list_view(), deep)?),
        DataType::RunEndEncoded(..) if of.is_empty() => new_empty_array(of.data_type()),
        DataType::RunEndEncoded(..) => {
            let of = taken(of)?;
            let runs = run::<Int16Type>(&of, deep).or_else(|| run::<Int32Type>(&of, deep));
            match runs.or_else(|| run::<Int64Type>(&of, deep)) {
                Some(runs) => runs?,
                None => return Err(unwritable(of.data_type())),
            }
        }
        DataType::Union(fields, _) => {
            let of = of.as_union();
            let children: Result<Vec<ArrayRef>, ArrowError> =
                fields.iter().map(|(kind, _)| compact(&visible(of, kind)?, deep)).collect();
            let offsets = of.offsets().map(|_| places(of.type_ids()).into());
            Arc::new(UnionArray::try_new(fields.clone(), of.type_ids().clone(), offsets, children?)?)
        }
        kind if !kind.is_nested() => Arc::clone(of),
        other => return Err(unwritable(other)),
    })
}

fn unwritable(kind: &DataType) -> ArrowError {
    let why = format!("a column of type {kind} cannot be written without the rows left out; convert it first");
    ArrowError::NotYetImplemented(why)
}

/// Lists that may share values, with values of their own each.
fn views_of<O: OffsetSizeTrait>(
    lists: &GenericListViewArray<O>,
    deep: usize,
) -> Result<GenericListViewArray<O>, ArrowError> {
    let (DataType::ListView(field) | DataType::LargeListView(field)) = lists.data_type() else {
        return Err(unwritable(lists.data_type()));
    };
    let (mut wanted, mut offsets, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for (row, (offset, size)) in lists.offsets().iter().zip(lists.sizes()).enumerate() {
        let (from, long) = (offset.as_usize(), if lists.is_valid(row) { size.as_usize() } else { 0 });
        offsets.push(O::usize_as(wanted.len()));
        sizes.push(O::usize_as(long));
        if wanted.len().saturating_add(long) > SHARED {
            return Err(ArrowError::NotYetImplemented("lists that share more values than can be written".to_owned()));
        }
        wanted.extend((from..from + long).map(|at| at as u64));
    }
    let values = compact(&take(lists.values(), &UInt64Array::from(wanted), None)?, deep)?;
    GenericListViewArray::try_new(Arc::clone(field), offsets.into(), sizes.into(), values, lists.nulls().cloned())
}

/// Runs of equal values whose ends are of that type.
fn run<T: RunEndIndexType>(of: &ArrayRef, deep: usize) -> Option<Result<ArrayRef, ArrowError>> {
    let runs = of.as_run_opt::<T>()?;
    Some(compact(runs.values(), deep).map(|values| Arc::new(runs.with_values(values)) as ArrayRef))
}

/// The place of each element among those of its kind.
fn places(kinds: &[i8]) -> Vec<i32> {
    let mut next = std::collections::HashMap::new();
    let mut place = |kind: &i8| {
        let next: &mut i32 = next.entry(*kind).or_default();
        *next += 1;
        *next - 1
    };
    kinds.iter().map(&mut place).collect()
}

/// The values of one kind of a union: in a dense one those that are used, and in a sparse one, which has a value of every
/// kind for each element, one that is used in the places of those that are not.
fn visible(of: &UnionArray, kind: i8) -> Result<ArrayRef, ArrowError> {
    let child = of.child(kind);
    let used = || (0..of.len()).filter(|row| of.type_id(*row) == kind);
    let wanted: UInt64Array = match (of.offsets(), used().next()) {
        (Some(_), _) => used().map(|row| Some(of.value_offset(row) as u64)).collect(),
        (None, None) => return Ok(new_null_array(child.data_type(), of.len())),
        (None, Some(first)) => {
            (0..of.len()).map(|row| Some(if of.type_id(row) == kind { row } else { first } as u64)).collect()
        }
    };
    if wanted.is_empty() { Ok(new_empty_array(child.data_type())) } else { take(child, &wanted, None) }
}

fn items<O: OffsetSizeTrait>(lists: &GenericListArray<O>, deep: usize) -> Result<GenericListArray<O>, ArrowError> {
    let field = Arc::clone(lists.value_field());
    let values = compact(lists.values(), deep)?;
    GenericListArray::try_new(field, lists.offsets().clone(), values, lists.nulls().cloned())
}

/// The same elements, and of their parts only those that belong to an element which is not null.
fn taken(of: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let all: UInt64Array = (0_u64..).zip(0..of.len()).map(|(at, row)| of.is_valid(row).then_some(at)).collect();
    take(of.as_ref(), &all, None)
}

/// A batch with the changes of its rows, each of which its columns take.
pub(super) fn changed(batch: &RecordBatch, edits: &Edits<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
    (0_u32..).zip(batch.columns()).map(|(at, column)| array(column, &below(edits, at))).collect()
}

/// The changes of one field of elements.
fn below<'a>(edits: &Edits<'a>, field: u32) -> Edits<'a> {
    edits.iter().filter_map(|(row, edit)| Some((*row, edit.inside()?.get(&field)?))).collect()
}

/// The changes of the elements of lists, which begin at these places.
fn within<'a>(edits: &Edits<'a>, start: impl Fn(usize) -> Option<usize>) -> Edits<'a> {
    let mut all = BTreeMap::new();
    for (row, edit) in edits {
        let (Some(start), Some(inner)) = (start(*row), edit.inside()) else { continue };
        all.extend(inner.iter().map(|(step, edit)| (start + *step as usize, edit)));
    }
    all
}

fn array(of: &ArrayRef, edits: &Edits<'_>) -> Result<ArrayRef, ArrowError> {
    if edits.is_empty() {
        return Ok(Arc::clone(of));
    }
    Ok(match of.data_type() {
        DataType::Utf8 => Arc::new(StringArray::from_iter(texts(of.as_string::<i32>(), edits))),
        DataType::LargeUtf8 => Arc::new(LargeStringArray::from_iter(texts(of.as_string::<i64>(), edits))),
        DataType::Binary => Arc::new(BinaryArray::from_iter(bytes(of.as_binary::<i32>(), edits))),
        DataType::LargeBinary => Arc::new(LargeBinaryArray::from_iter(bytes(of.as_binary::<i64>(), edits))),
        DataType::Utf8View => {
            let of: &GenericByteViewArray<StringViewType> = of.as_byte_view();
            Arc::new(GenericByteViewArray::<StringViewType>::from_iter(views(of, edits, |text| text)))
        }
        DataType::BinaryView => {
            let of: &GenericByteViewArray<BinaryViewType> = of.as_byte_view();
            Arc::new(GenericByteViewArray::<BinaryViewType>::from_iter(views(of, edits, str::as_bytes)))
        }
        DataType::List(_) => Arc::new(list::<i32>(of.as_list(), edits)?),
        DataType::LargeList(_) => Arc::new(list::<i64>(of.as_list(), edits)?),
        DataType::FixedSizeList(field, size) => {
            let lists = of.as_fixed_size_list();
            let start = |row: usize| Some(lists.value_offset_at(row));
            let values = array(lists.values(), &within(edits, start))?;
            let nulls = lists.nulls().cloned();
            Arc::new(FixedSizeListArray::try_new(Arc::clone(field), *size, values, nulls)?)
        }
        DataType::Map(field, sorted) => {
            let maps = of.as_map();
            let start = |row: usize| maps.value_offsets().get(row).and_then(|start| usize::try_from(*start).ok());
            let entries: ArrayRef = Arc::new(maps.entries().clone());
            let entries = array(&entries, &within(edits, start))?.as_struct().clone();
            let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
            Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, nulls, *sorted)?)
        }
        DataType::Struct(fields) => {
            let parts = of.as_struct();
            let columns: Result<Vec<ArrayRef>, ArrowError> =
                (0_u32..).zip(parts.columns()).map(|(at, column)| array(column, &below(edits, at))).collect();
            Arc::new(StructArray::try_new(fields.clone(), columns?, parts.nulls().cloned())?)
        }
        other => return Err(ArrowError::NotYetImplemented(format!("texts in a column of type {other}"))),
    })
}

fn list<O: OffsetSizeTrait>(lists: &GenericListArray<O>, edits: &Edits<'_>) -> Result<GenericListArray<O>, ArrowError> {
    let start = |row: usize| lists.value_offsets().get(row).map(|start| start.as_usize());
    let values = array(lists.values(), &within(edits, start))?;
    let field = match lists.data_type() {
        DataType::List(field) | DataType::LargeList(field) => Arc::clone(field),
        other => return Err(ArrowError::SchemaError(format!("{other} is no list"))),
    };
    GenericListArray::try_new(field, lists.offsets().clone(), values, lists.nulls().cloned())
}

fn new_text<'a>(edits: &Edits<'a>, row: usize) -> Option<&'a str> {
    match edits.get(&row) {
        Some(Edit::Text(text)) => Some(text),
        _ => None,
    }
}

fn texts<'a, T: ByteArrayType<Native = str>>(
    of: &'a GenericByteArray<T>,
    edits: &'a Edits<'a>,
) -> impl Iterator<Item = Option<&'a str>> {
    (0..of.len()).map(|row| of.is_valid(row).then(|| new_text(edits, row).unwrap_or_else(|| of.value(row))))
}

fn bytes<'a, T: ByteArrayType<Native = [u8]>>(
    of: &'a GenericByteArray<T>,
    edits: &'a Edits<'a>,
) -> impl Iterator<Item = Option<&'a [u8]>> {
    (0..of.len()).map(|row| of.is_valid(row).then(|| new_text(edits, row).map_or_else(|| of.value(row), str::as_bytes)))
}

fn views<'a, T: ByteViewType>(
    of: &'a GenericByteViewArray<T>,
    edits: &'a Edits<'a>,
    native: fn(&'a str) -> &'a T::Native,
) -> impl Iterator<Item = Option<&'a T::Native>> {
    (0..of.len()).map(move |row| of.is_valid(row).then(|| new_text(edits, row).map_or_else(|| of.value(row), native)))
}
