//! Attributes of items or users as tables: the ids in the first column, then a column an attribute.
//!
//! Texts are read as `token`, numbers as `float`, lists of either as `token_seq` and `float_seq`. A cell without a value is the
//! empty word, the missing number or the empty list; a row without an id, or with a number that is infinite, is a bad row.

use std::hash::{Hash, Hasher};
use std::io::Write;
use std::sync::Arc;

use ::arrow_ipc::writer::FileWriter;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, DictionaryArray, Float32Array, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use recspeed_types::limits::MAX_BAD_LINES_SHOWN;

use super::columns::{is_id, is_number};
use super::ids::Ids;
use super::numbers::{Ratings, finite};
use super::{BatchSink, IdLayout};
use crate::arrow_ipc::id_array;
use crate::attributes::{AttributeColumn, AttributeValues, Attributes, Growing};
use crate::dictionary::{Dictionary, DictionaryBuilder, MAX_ARENA_BYTES};
use crate::read::{AttributeOutcome, AttributeReport, BadLine, BadReason, ReadError, ReadLimits, Repeats, quote};

/// A table of attributes on its way in.
pub struct AttributeTable {
    limits: ReadLimits,
    id_column: String,
    ids: DictionaryBuilder,
    columns: Vec<(String, Growing)>,
    repeats: Repeats,
    report: AttributeReport,
}

impl AttributeTable {
    /// Checks the types of the columns.
    ///
    /// # Errors
    /// [`ReadError::AttributeType`]; [`ReadError::Table`] where there is no column.
    pub fn new(schema: &Schema, limits: ReadLimits) -> Result<Self, ReadError> {
        let (id, attributes) = schema.fields().split_first().ok_or_else(|| ReadError::Table {
            format: "table",
            cause: "it has no columns; the first is that of the ids".to_owned(),
        })?;
        if !is_id(id.data_type()) {
            return Err(other_type(id, "the first column must hold the ids, text or whole numbers"));
        }
        let columns = attributes.iter().map(|field| {
            let growing = growing(field.data_type());
            let growing =
                growing.ok_or_else(|| other_type(field, "attributes are text, numbers or lists of either"))?;
            Ok((field.name().clone(), growing))
        });
        let columns = columns.collect::<Result<_, ReadError>>()?;
        let (repeats, report) = (Repeats::default(), AttributeReport::default());
        Ok(Self { limits, id_column: id.name().clone(), ids: DictionaryBuilder::default(), columns, repeats, report })
    }

    /// The attributes of all batches; of several rows with one id the first counts, and the report says so.
    ///
    /// # Errors
    /// [`ReadError`]: there are no rows, or more of them are bad than allowed.
    pub fn finish(self) -> Result<AttributeOutcome, ReadError> {
        let AttributeReport { data_lines: lines, bad_lines: bad, .. } = self.report;
        if lines == 0 {
            return Err(ReadError::NoRows { lines: 0 });
        }
        let limit = self.limits.max_bad_share;
        if bad as f64 > limit * lines as f64 {
            return Err(ReadError::TooManyBadLines { bad, lines, limit, shown: self.report.shown });
        }
        let columns = self.columns.into_iter();
        let columns = columns.map(|(name, growing)| AttributeColumn { name, values: growing.finish() }).collect();
        let attributes = Attributes { ids: self.ids.finish(), columns };
        Ok(AttributeOutcome { attributes, report: self.report, id_column: self.id_column })
    }

    fn add_row(&mut self, row: usize, ids: &Ids<'_>, cells: &[Cells<'_>]) -> Result<(), BadReason> {
        let (mut digits, mut word) = (String::new(), String::new());
        let id = ids.text(row, "row's", &mut digits)?;
        cells.iter().try_for_each(|cells| cells.check(row))?;
        let before = self.ids.len();
        let index = self.ids.intern(id);
        self.repeats.see(index, (self.report.data_lines, id), Row(row, cells), &mut self.report);
        if index as usize == before {
            for ((_, growing), cells) in self.columns.iter_mut().zip(cells) {
                cells.add_to(growing, row, &mut word);
            }
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), ReadError> {
        let words = |growing: &Growing| match growing {
            Growing::Token(vocabulary, _) | Growing::TokenSeq(vocabulary, ..) => vocabulary.arena_bytes(),
            Growing::Float(_) | Growing::FloatSeq(..) => 0,
        };
        let arenas = || self.columns.iter().map(|(_, growing)| words(growing)).chain([self.ids.arena_bytes()]);
        if arenas().any(|bytes| bytes > MAX_ARENA_BYTES) {
            return Err(ReadError::TooManyIds { which: "attribute" });
        }
        let numbers = self.columns.iter().map(|(_, growing)| match growing {
            Growing::Token(_, word) => size_of_val(&word[..]),
            Growing::TokenSeq(_, indptr, words) => size_of_val(&indptr[..]) + size_of_val(&words[..]),
            Growing::Float(values) => size_of_val(&values[..]),
            Growing::FloatSeq(indptr, values) => size_of_val(&indptr[..]) + size_of_val(&values[..]),
        });
        let (held, limit) = (arenas().chain(numbers).sum::<usize>() as u64, self.limits.max_inflated_bytes);
        if held > limit { Err(ReadError::TableTooLarge { bytes: held, limit }) } else { Ok(()) }
    }
}

impl BatchSink for AttributeTable {
    fn projection(&self) -> Vec<usize> {
        (0..=self.columns.len()).collect()
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        let cells: Option<Vec<Cells<'_>>> = batch.columns().iter().skip(1).map(Cells::of).collect();
        let ids = batch.columns().first().and_then(Ids::of);
        let (Some(ids), Some(cells)) = (ids, cells.filter(|cells| cells.len() == self.columns.len())) else {
            let cause = "a batch has other columns than its schema".to_owned();
            return Err(ReadError::Table { format: "table", cause });
        };
        if self.report.data_lines + batch.num_rows() as u64 >= u64::from(u32::MAX) {
            return Err(ReadError::TooManyRows);
        }
        for row in 0..batch.num_rows() {
            self.report.data_lines += 1;
            if let Err(reason) = self.add_row(row, &ids, &cells) {
                let report = &mut self.report;
                report.bad_lines += 1;
                if report.shown.len() < MAX_BAD_LINES_SHOWN {
                    report.shown.push(BadLine { line: report.data_lines, reason: reason.to_string() });
                }
            }
        }
        self.check_size()
    }
}

fn other_type(field: &Field, expected: &'static str) -> ReadError {
    let (column, found) = (field.name(), field.data_type().to_string());
    ReadError::AttributeType { column: quote(column.as_bytes()), found: quote(found.as_bytes()), expected }
}

/// An empty column for values of this type.
fn growing(found: &DataType) -> Option<Growing> {
    match found {
        DataType::List(of) | DataType::LargeList(of) => match growing(of.data_type())? {
            Growing::Token(..) => Some(Growing::lists_of_words()),
            Growing::Float(_) => Some(Growing::lists_of_numbers()),
            Growing::TokenSeq(..) | Growing::FloatSeq(..) => None,
        },
        found if is_number(found) => Some(Growing::numbers()),
        found if is_id(found) => Some(Growing::words()),
        _ => None,
    }
}

/// A column of a batch.
enum Cells<'a> {
    Words(Ids<'a>),
    Numbers(Ratings),
    /// Of each row the places in another column; none where there is no list.
    Lists(Vec<std::ops::Range<usize>>, Box<Self>),
}

impl<'a> Cells<'a> {
    /// `None` where the column is of another type.
    fn of(column: &'a ArrayRef) -> Option<Self> {
        match column.data_type() {
            DataType::List(_) => lists::<i32>(column),
            DataType::LargeList(_) => lists::<i64>(column),
            found if is_number(found) => Some(Self::Numbers(Ratings::of(column)?)),
            _ => Some(Self::Words(Ids::of(column)?)),
        }
    }

    /// Whether the cell of a row can be added.
    fn check(&self, row: usize) -> Result<(), BadReason> {
        match self {
            Self::Words(_) => Ok(()),
            Self::Numbers(numbers) => match numbers.value(row) {
                Some(number) if !number.is_nan() => finite(number, "attribute").map(drop),
                _ => Ok(()),
            },
            Self::Lists(places, of) => places.get(row).cloned().unwrap_or_default().try_for_each(|at| of.check(at)),
        }
    }

    fn number(&self, row: usize) -> f32 {
        match self {
            Self::Numbers(numbers) => numbers.value(row).map_or(f32::NAN, |number| number as f32),
            Self::Words(_) | Self::Lists(..) => f32::NAN,
        }
    }

    fn word<'t>(&'t self, row: usize, digits: &'t mut String) -> &'t str {
        match self {
            Self::Words(words) => words.value(row, digits).unwrap_or_default(),
            Self::Numbers(_) | Self::Lists(..) => "",
        }
    }

    fn hash_cell<H: Hasher>(&self, row: usize, digits: &mut String, state: &mut H) {
        match self {
            Self::Words(_) => self.word(row, digits).hash(state),
            Self::Numbers(_) => self.number(row).to_bits().hash(state),
            Self::Lists(places, of) => {
                let place = places.get(row).cloned().unwrap_or_default();
                place.len().hash(state);
                place.for_each(|at| of.hash_cell(at, digits, state));
            }
        }
    }

    /// Adds a checked cell.
    fn add_to(&self, growing: &mut Growing, row: usize, digits: &mut String) {
        match (growing, self) {
            (Growing::Token(vocabulary, word), _) => word.push(vocabulary.intern(self.word(row, digits))),
            (Growing::Float(values), _) => values.push(self.number(row)),
            (Growing::TokenSeq(vocabulary, indptr, words), Self::Lists(places, of)) => {
                for at in places.get(row).cloned().unwrap_or_default() {
                    words.push(vocabulary.intern(of.word(at, digits)));
                }
                indptr.push(words.len());
            }
            (Growing::FloatSeq(indptr, values), Self::Lists(places, of)) => {
                values.extend(places.get(row).cloned().unwrap_or_default().map(|at| of.number(at)));
                indptr.push(values.len());
            }
            // The schema has said otherwise; an empty list keeps the rows together.
            (Growing::TokenSeq(_, indptr, _) | Growing::FloatSeq(indptr, _), _) => {
                indptr.push(indptr.last().copied().unwrap_or_default());
            }
        }
    }
}

/// What a row says besides its id.
struct Row<'a>(usize, &'a [Cells<'a>]);

impl Hash for Row<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut digits = String::new();
        self.1.iter().for_each(|cells| cells.hash_cell(self.0, &mut digits, state));
    }
}

fn lists<O: arrow_array::OffsetSizeTrait>(column: &ArrayRef) -> Option<Cells<'_>> {
    let lists = column.as_list_opt::<O>()?;
    let place = |row: usize| {
        let (from, to) = (lists.value_offsets()[row].as_usize(), lists.value_offsets()[row + 1].as_usize());
        if lists.is_valid(row) { from..to } else { 0..0 }
    };
    Some(Cells::Lists((0..lists.len()).map(place).collect(), Box::new(Cells::of(lists.values())?)))
}

/// Attributes as one batch: the column `id`, then each attribute under its name.
///
/// # Errors
/// [`ArrowError`]: a column has more words or bytes than Arrow's 32-bit offsets reach.
pub fn attributes_batch(attributes: &Attributes, layout: IdLayout) -> Result<RecordBatch, ArrowError> {
    let mut columns: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(id_array(&attributes.ids)?))];
    for AttributeColumn { name, values } in &attributes.columns {
        columns.push((name, column_of(values, layout)?));
    }
    let field = |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, column)| column).collect())
}

/// Writes an Arrow IPC file; [`super::read_attributes_arrow`] reads the same attributes back.
///
/// # Errors
/// What `writer` fails with, as an [`ArrowError`].
pub fn write_attributes_arrow(attributes: &Attributes, writer: impl Write) -> Result<(), ArrowError> {
    let batch = attributes_batch(attributes, IdLayout::Dictionary)?;
    let mut file = FileWriter::try_new(writer, &batch.schema())?;
    file.write(&batch)?;
    file.finish()
}

fn column_of(values: &AttributeValues, layout: IdLayout) -> Result<ArrayRef, ArrowError> {
    Ok(match values {
        AttributeValues::Token { vocabulary, word } => words(vocabulary, word, layout)?,
        AttributeValues::TokenSeq { vocabulary, indptr, words: all } => {
            list(indptr, words(vocabulary, all, IdLayout::Text)?)?
        }
        AttributeValues::Float(values) => numbers(values),
        AttributeValues::FloatSeq { indptr, values } => list(indptr, numbers(values))?,
    })
}

/// Missing numbers are cells without a value.
fn numbers(values: &[f32]) -> ArrayRef {
    Arc::new(values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect::<Float32Array>())
}

fn words(vocabulary: &Dictionary, places: &[u32], layout: IdLayout) -> Result<ArrayRef, ArrowError> {
    if layout == IdLayout::Dictionary {
        let keys = UInt32Array::from_iter_values(places.iter().copied());
        return Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(id_array(vocabulary)?))?));
    }
    let bytes = places.iter().map(|&place| vocabulary.get(place).len()).sum::<usize>();
    within_offsets(bytes)?;
    Ok(Arc::new(StringArray::from_iter_values(places.iter().map(|&place| vocabulary.get(place)))))
}

fn list(indptr: &[usize], values: ArrayRef) -> Result<ArrayRef, ArrowError> {
    within_offsets(values.len())?;
    let offsets: Vec<i32> = indptr.iter().map(|&offset| offset as i32).collect();
    let of = Arc::new(Field::new("item", values.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(of, OffsetBuffer::new(ScalarBuffer::from(offsets)), values, None)?))
}

fn within_offsets(count: usize) -> Result<(), ArrowError> {
    if i32::try_from(count).is_ok() { Ok(()) } else { Err(ArrowError::OffsetOverflowError(count)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read_attributes;
    use crate::table::read_attributes_arrow;

    const FILMS: &str = "item_id:token\ttitle:token\tyear:float\tclass:token_seq\tsize:float_seq\n\
        1\tAlien\t1979\tHorror SciFi\t1 2.5\n2\tUp\t\t\t\n3\tAlien\t2003\tSciFi\t-7\n";

    fn back(attributes: &Attributes) -> Attributes {
        let mut bytes = Vec::new();
        write_attributes_arrow(attributes, &mut bytes).unwrap();
        read_attributes_arrow(&bytes, ReadLimits::default()).unwrap().attributes
    }

    /// As text, in which one missing number is as another.
    fn told(attributes: &Attributes) -> String {
        format!("{attributes:?}")
    }

    #[test]
    fn attributes_of_every_type_come_back() {
        let films = read_attributes(FILMS.as_bytes()).unwrap().attributes;
        assert_eq!(told(&back(&films)), told(&films));
    }

    #[test]
    fn what_other_programs_write_is_read_as_the_four_types() {
        let list: ListArray = {
            let of = Arc::new(Field::new("item", DataType::Float32, true));
            let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 1, 3]));
            ListArray::new(of, offsets, Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0])), None)
        };
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("asin", Arc::new(UInt32Array::from(vec![7, 8]))),
            ("price", Arc::new(arrow_array::Float64Array::from(vec![Some(f64::NAN), None]))),
            ("brand", Arc::new(StringArray::from(vec![None, Some("b")]))),
            ("vector", Arc::new(list)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut table = AttributeTable::new(&batch.schema(), ReadLimits::default()).unwrap();
        table.add(&batch).unwrap();
        let read = table.finish().unwrap().attributes;
        assert_eq!(read.ids.iter().collect::<Vec<_>>(), ["7", "8"]);
        assert!(matches!(read.column("price"), Some(AttributeValues::Float(v)) if v.iter().all(|v| v.is_nan())));
        let Some(AttributeValues::Token { vocabulary, word }) = read.column("brand") else { panic!("{read:?}") };
        assert_eq!(word.iter().map(|&w| vocabulary.get(w)).collect::<Vec<_>>(), ["", "b"]);
        let vector = AttributeValues::FloatSeq { indptr: vec![0, 1, 3], values: vec![1.0, 2.0, 3.0] };
        assert_eq!(read.column("vector"), Some(&vector));
    }

    #[test]
    fn a_column_of_another_type_and_bad_rows_are_named() {
        let day: ArrayRef = Arc::new(arrow_array::Date32Array::from(vec![1]));
        let id: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let error = |columns: Vec<(&str, &ArrayRef)>| {
            let batch = RecordBatch::try_from_iter(columns.into_iter().map(|(n, c)| (n, Arc::clone(c)))).unwrap();
            let table = AttributeTable::new(&batch.schema(), ReadLimits::default());
            table.and_then(|mut table| table.add(&batch).and_then(|()| table.finish())).unwrap_err().to_string()
        };
        let words = "the column `day` holds Date32, but attributes are text, numbers or lists of either; convert it, or leave it out";
        assert_eq!(error(vec![("id", &id), ("day", &day)]), words);
        assert!(error(vec![("day", &day)]).contains("the first column must hold the ids"));
        let infinite: ArrayRef = Arc::new(Float32Array::from(vec![f32::INFINITY]));
        let words = error(vec![("id", &id), ("price", &infinite)]);
        assert!(words.contains("line 1") && words.contains("the attribute is `inf`"), "{words}");
    }

    proptest! {
        #[test]
        fn tables_of_words_and_numbers_come_back(
            rows in proptest::collection::vec(("[a-c]{1,2}", "[x-z]{0,2}( [x-z]){0,2}", -1e30f32..1e30), 1..30),
        ) {
            let line = |(id, words, number): &(String, String, f32)| {
                format!("{id}\t{}\t{number}\t{words}\t{number} 1\n", words.replace(' ', ""))
            };
            let lines = rows.iter().map(line).collect::<Vec<_>>().concat();
            let text = format!("user_id:token\ta:token\tb:float\tc:token_seq\td:float_seq\n{lines}");
            let attributes = read_attributes(text.as_bytes()).unwrap().attributes;
            prop_assert_eq!(back(&attributes), attributes);
        }
    }
}
