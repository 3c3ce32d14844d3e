//! A saved model for other tools: its arrays beside the ids that they belong to.
//!
//! As Parquet or Arrow, an array with a row for each user or item becomes a table with an `id` column, a list whose entries have
//! names a table of names and values, a sparse matrix a table of its entries; single numbers stand in `numbers.json`. A matrix
//! without columns, as of numbers of items that have none, is a table of its rows alone: their ids, or their numbers from 0. What
//! has no rows has no file. As safetensors, all arrays are one file, and the ids lists in JSON. Beside them `README.md` and
//! `model.json` say what each array is, and how a prediction follows.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray, UInt32Array};
use arrow_ipc::writer::FileWriter;
use arrow_schema::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use recspeed_data::Dictionary;
use recspeed_data::parts::{Array, Values};

use crate::error::{ModelError, at};
use crate::folder::{self, write_file};
use crate::page::{self, ArrayPage, SPARSE};
use crate::{SavedModel, array_file, tensors};

/// How a model is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Apache Parquet, packed with zstd.
    Parquet,
    /// Apache Arrow IPC files.
    Arrow,
    /// One safetensors file.
    Safetensors,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Names of the files.
    pub files: Vec<String>,
    /// Bytes of them all.
    pub bytes: u64,
}

/// The file of single numbers.
const NUMBERS: &str = "numbers.json";

/// What the rows of an array belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Users,
    Items,
}

/// Exports a model into `to`, a new or empty folder, which appears whole or not at all.
///
/// # Errors
/// [`ModelError`]: something lies in `to`, or it cannot be written.
pub fn export(model: &SavedModel, to: &Path, format: ExportFormat) -> Result<Exported, ModelError> {
    check_export(to)?;
    let parent = folder::parent(to);
    fs::create_dir_all(&parent).map_err(at("write", &parent))?;
    let new = folder::new_in(&parent, ".export-")?;
    let mut out = Out { dir: new.path(), format, files: Vec::new(), bytes: 0, arrays: Vec::new() };
    out.text("spec.toml", &model.manifest.spec.to_toml())?;
    match format {
        ExportFormat::Safetensors => out.tensors(model)?,
        ExportFormat::Parquet | ExportFormat::Arrow => out.tables(model)?,
    }
    let arrays = std::mem::take(&mut out.arrays);
    out.text("model.json", &page::json(model, &arrays))?;
    out.text("README.md", &page::markdown(model, &arrays, format != ExportFormat::Safetensors))?;
    let Out { mut files, bytes, .. } = out;
    files.sort_unstable();
    fs::rename(new.keep(), to).map_err(at("write", to))?;
    Ok(Exported { files, bytes })
}

/// Whether [`export`] may write into `to`: it is not there, or empty. For whoever wants to know before a model is read.
///
/// # Errors
/// [`ModelError`].
pub fn check_export(to: &Path) -> Result<(), ModelError> {
    match folder::names(to)? {
        Some(names) if !names.is_empty() => Err(ModelError::Occupied { dir: to.to_owned() }),
        _ => Ok(()),
    }
}

struct Out<'a> {
    dir: &'a Path,
    format: ExportFormat,
    files: Vec<String>,
    bytes: u64,
    /// What is told of the arrays so far.
    arrays: Vec<ArrayPage>,
}

impl Out<'_> {
    fn file<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
    ) -> Result<(), ModelError> {
        self.bytes += write_file(&self.dir.join(name), content)?.bytes;
        self.files.push(name.to_owned());
        Ok(())
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), ModelError> {
        self.file(name, |file| file.write_all(text.as_bytes()))
    }

    fn json(&mut self, name: &str, value: &impl serde::Serialize) -> Result<(), ModelError> {
        self.file(name, |file| serde_json::to_writer(file, value))
    }

    fn tensors(&mut self, model: &SavedModel) -> Result<(), ModelError> {
        let notes = HashMap::from([("recspeed.kind".to_owned(), model.manifest.spec.recommender.kind.clone())]);
        let bytes =
            tensors::write(&model.parts, notes).map_err(|cause| at("write", self.dir)(std::io::Error::other(cause)))?;
        self.file("model.safetensors", |file| file.write_all(&bytes))?;
        for (name, array) in &model.parts.iter().collect::<BTreeMap<_, _>>() {
            self.arrays.push(ArrayPage::of(model, name, array, Some("model.safetensors".to_owned())));
        }
        self.json("users.json", &model.users.iter().collect::<Vec<_>>())?;
        self.json("items.json", &model.items.iter().collect::<Vec<_>>())
    }

    fn tables(&mut self, model: &SavedModel) -> Result<(), ModelError> {
        self.table("ids-users", vec![("id", text(&model.users))])?;
        self.table("ids-items", vec![("id", text(&model.items))])?;
        let arrays: BTreeMap<&str, &Array> = model.parts.iter().collect();
        let dir = self.dir;
        let unwritten = |error: ArrowError| at("write", dir)(std::io::Error::other(error));
        let mut numbers = serde_json::Map::new();
        for (&name, &array) in &arrays {
            if let Some(matrix) = name.strip_suffix(".indptr").filter(|matrix| is_sparse(&arrays, matrix)) {
                self.entries(model, &arrays, matrix)?;
                continue;
            }
            if SPARSE.iter().filter_map(|end| name.strip_suffix(end)).any(|matrix| is_sparse(&arrays, matrix)) {
                continue;
            }
            let file = if array.shape.is_empty() {
                numbers.insert(name.to_owned(), single(&array.values));
                Some(NUMBERS.to_owned())
            } else if array.shape[0] == 0 {
                None
            } else if let Values::U8(bytes) = &array.values {
                let file = format!("{name}.txt");
                self.file(&file, |to| to.write_all(bytes))?;
                Some(file)
            } else {
                Some(self.table(name, columns(model, name, array).map_err(unwritten)?)?)
            };
            self.arrays.push(ArrayPage::of(model, name, array, file));
        }
        if numbers.is_empty() { Ok(()) } else { self.json(NUMBERS, &numbers) }
    }

    /// A sparse matrix as the table of its entries.
    fn entries(&mut self, model: &SavedModel, arrays: &BTreeMap<&str, &Array>, name: &str) -> Result<(), ModelError> {
        let array = |end: &str| arrays.get(format!("{name}{end}").as_str()).map(|array| &array.values);
        let (Some(Values::U64(starts)), Some(Values::U32(indices)), Some(Values::F32(values))) =
            (array(".indptr"), array(".indices"), array(".values"))
        else {
            return Ok(());
        };
        let n_rows = starts.len().saturating_sub(1);
        if values.is_empty() {
            self.arrays.push(ArrayPage::of_sparse(model, name, (n_rows, 0), None));
            return Ok(());
        }
        let rows = starts.windows(2).zip(0u32..).flat_map(|(bounds, row)| (bounds[0]..bounds[1]).map(move |_| row));
        let rows: Vec<u32> = rows.collect();
        let row_side = side(model, name, n_rows);
        let columns = indices.iter().max().map_or(0, |&last| last as usize + 1);
        let column_side = match name.rsplit('.').next() {
            Some("ratings") => Some(Side::Items),
            Some("similarities" | "differences") => row_side,
            _ => None,
        };
        let column_side = column_side.filter(|&side| ids(model, side).len() >= columns);
        let table = vec![
            ("row", labels(model, row_side, &rows)),
            ("column", labels(model, column_side, indices)),
            ("value", Arc::new(Float32Array::from(values.clone())) as ArrayRef),
        ];
        let file = self.table(name, table)?;
        self.arrays.push(ArrayPage::of_sparse(model, name, (n_rows, values.len()), Some(file)));
        Ok(())
    }

    /// Writes a table; its file is named as it is, with the ending of the format.
    fn table(&mut self, name: &str, columns: Vec<(&str, ArrayRef)>) -> Result<String, ModelError> {
        let batch = RecordBatch::try_from_iter(columns);
        let (format, end) = match self.format {
            ExportFormat::Arrow => (ExportFormat::Arrow, "arrow"),
            _ => (ExportFormat::Parquet, "parquet"),
        };
        let name = format!("{name}.{end}");
        self.file(&name, |file| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            let batch = batch?;
            if format == ExportFormat::Arrow {
                let mut writer = FileWriter::try_new(file, &batch.schema())?;
                writer.write(&batch)?;
                writer.finish()?;
            } else {
                let zstd = Compression::ZSTD(ZstdLevel::default());
                let properties = WriterProperties::builder().set_compression(zstd).build();
                let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
                writer.write(&batch)?;
                writer.close()?;
            }
            Ok(())
        })?;
        Ok(name)
    }
}

/// The table of an array: what each row belongs to, where that is known, and what it holds. An array of more than two dimensions is one
/// list, whose rows belong to nobody.
fn columns(model: &SavedModel, name: &str, array: &Array) -> Result<Vec<(&'static str, ArrayRef)>, ArrowError> {
    let names = if array.shape.len() == 1 { page::positions(model, name, array) } else { Vec::new() };
    if !names.is_empty() {
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
        return Ok(vec![("name", names), ("value", array_file::column(array)?)]);
    }
    let rows = array.shape.first().copied().unwrap_or_default();
    let side = side(model, name, rows).filter(|_| array.shape.len() <= 2);
    let mut columns: Vec<(&str, ArrayRef)> = side.map(|side| ("id", text(ids(model, side)))).into_iter().collect();
    match array.shape[..] {
        // No column of the values says how many rows there are.
        [_, 0] if columns.is_empty() => {
            columns.push(("row", Arc::new(UInt32Array::from_iter_values(0..rows as u32))));
        }
        [_, 0] => {}
        [_, _] => columns.push(("values", array_file::column(array)?)),
        _ => columns.push(("value", array_file::column(array)?)),
    }
    Ok(columns)
}

/// Whether the three arrays of a sparse matrix are there.
fn is_sparse(arrays: &BTreeMap<&str, &Array>, name: &str) -> bool {
    let array = |end: &str| arrays.get(format!("{name}.{end}").as_str()).map(|array| &array.values);
    matches!(
        (array("indptr"), array("indices"), array("values")),
        (Some(Values::U64(_)), Some(Values::U32(_)), Some(Values::F32(_)))
    )
}

/// What the rows of an array belong to, from their number; where there are as many users as items, from the names.
fn side(model: &SavedModel, name: &str, rows: usize) -> Option<Side> {
    let (of_users, of_items) = (model.users.len() == rows, model.items.len() == rows);
    match (of_users, of_items) {
        (false, false) => None,
        (true, false) => Some(Side::Users),
        (false, true) => Some(Side::Items),
        (true, true) => {
            let last = name.rsplit('.').next().unwrap_or(name);
            let kind = &model.manifest.spec.recommender.kind;
            let of_users =
                last.starts_with("user") || last == "ratings" || !last.starts_with("item") && kind.starts_with("user");
            Some(if of_users { Side::Users } else { Side::Items })
        }
    }
}

const fn ids(model: &SavedModel, side: Side) -> &Dictionary {
    match side {
        Side::Users => &model.users,
        Side::Items => &model.items,
    }
}

fn text(ids: &Dictionary) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(ids.iter()))
}

/// Ids of the indices, or the indices themselves.
fn labels(model: &SavedModel, side: Option<Side>, indices: &[u32]) -> ArrayRef {
    match side {
        Some(side) => {
            let ids = ids(model, side);
            Arc::new(StringArray::from_iter_values(indices.iter().map(|&index| ids.get(index))))
        }
        None => Arc::new(UInt32Array::from(indices.to_vec())),
    }
}

fn single(values: &Values) -> serde_json::Value {
    match values {
        Values::F32(values) => values.first().map(|&value| f64::from(value)).into(),
        Values::F64(values) => values.first().copied().into(),
        Values::U32(values) => values.first().copied().into(),
        Values::U64(values) => values.first().copied().into(),
        Values::U8(values) => values.first().copied().into(),
    }
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use recspeed_data::Csr;
    use recspeed_data::parts::Parts;

    use super::*;
    use crate::save::example;

    fn model() -> SavedModel {
        let similarities = Csr { indptr: vec![0, 1, 1, 2], indices: vec![2, 0], values: vec![0.5, 0.25] };
        let parts = Parts::default()
            .with_matrix("users", 2, &[1.0, 2.0, 3.0, 4.0])
            .with_matrix("items", 1, &[1.0, 2.0, 3.0])
            .with_number("mean", 3.5)
            .with("terms", &[3], Values::U8(b"abc".to_vec()))
            .with_csr("similarities", &similarities);
        SavedModel { parts, ..example() }
    }

    #[test]
    fn every_array_is_exported_with_the_ids_of_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        for (format, end) in [(ExportFormat::Parquet, "parquet"), (ExportFormat::Arrow, "arrow")] {
            let to = folder.path().join(end);
            let exported = export(&model(), &to, format).unwrap();
            let mut expected: Vec<String> = ["ids-items", "ids-users", "items", "similarities", "users"]
                .iter()
                .map(|name| format!("{name}.{end}"))
                .chain(["README.md", "model.json", "numbers.json", "spec.toml", "terms.txt"].map(str::to_owned))
                .collect();
            expected.sort_unstable();
            assert_eq!(exported.files, expected);
            assert_eq!(fs::read_to_string(to.join("numbers.json")).unwrap(), "{\"mean\":3.5}");
        }
        let bytes = fs::read(folder.path().join("arrow/similarities.arrow")).unwrap();
        let mut file = arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
        let entries = file.next().unwrap().unwrap();
        let column = |name: &str| Arc::clone(entries.column_by_name(name).unwrap());
        assert_eq!(&column("row"), &(Arc::new(StringArray::from(vec!["a", "c"])) as ArrayRef));
        assert_eq!(&column("column"), &(Arc::new(StringArray::from(vec!["c", "a"])) as ArrayRef));
        assert_eq!(&column("value"), &(Arc::new(Float32Array::from(vec![0.5, 0.25])) as ArrayRef));
    }

    /// Columns and rows of an exported table.
    fn table(path: &Path) -> (Vec<String>, usize) {
        let file = fs::File::open(path).unwrap();
        let (schema, batches): (_, Vec<RecordBatch>) = if path.extension() == Some("arrow".as_ref()) {
            let reader = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
            (reader.schema(), reader.map(Result::unwrap).collect())
        } else {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            (Arc::clone(reader.schema()), reader.build().unwrap().map(Result::unwrap).collect())
        };
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        (names, batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[test]
    fn an_export_says_what_each_position_is_and_how_a_prediction_follows() {
        let mut model = model();
        model.manifest.spec.recommender = recspeed_types::spec::RecommenderSpec::new("biased-mf");
        model.parts = Parts::default()
            .with_matrix("users", 4, &[0.5; 8])
            .with_matrix("items", 4, &[0.25; 12])
            // As many numbers as there are items, and none of them an item's.
            .with_list("folding.ridge", &[0.02, 3.5, 1.0])
            .with_list("scale", &[]);
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("out");
        export(&model, &to, ExportFormat::Arrow).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&fs::read(to.join("model.json")).unwrap()).unwrap();
        let of = |name: &str| told["arrays"].as_array().unwrap().iter().find(|array| array["name"] == name).unwrap();
        let ends = serde_json::json!(["factor 1", "factor 2", "bias of the item", "1"]);
        assert_eq!((&of("items")["positions"], &of("items")["shape"]), (&ends, &serde_json::json!([3, 4])));
        assert!(told["prediction"].as_str().unwrap().contains("users[u][f] * items[i][f]"), "{told}");
        assert!(told["source"].as_str().unwrap().contains("Koren"), "{told}");
        let bytes = fs::read(to.join("folding.ridge.arrow")).unwrap();
        let mut file = arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
        let entries = file.next().unwrap().unwrap();
        let names = ["regularization", "mean of all ratings", "1 where there are biases, 0 otherwise"];
        let due: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
        assert_eq!(entries.column_by_name("name"), Some(&due));
        let readme = fs::read_to_string(to.join("README.md")).unwrap();
        for words in
            ["# biased-mf, run example", "| `scale` | 0 | none: empty |", "factor 1, factor 2, bias of the item, 1."]
        {
            assert!(readme.contains(words), "{words}: {readme}");
        }
    }

    /// A network's users and items have no numbers where the data say none of them; the export once broke off there.
    #[test]
    fn rows_without_numbers_are_exported_by_their_ids_or_their_places_in_every_format() {
        let empty = || Values::F32(Vec::new());
        let parts = Parts::default()
            .with("of_users", &[2, 0], empty())
            .with("of_items", &[3, 0], empty())
            .with("of_nobody", &[5, 0], empty())
            .with("nothing", &[0, 0], empty())
            .with("no_rows", &[0, 3], empty())
            .with("users.cube", &[2, 1, 2], Values::U32(vec![1, 2, 3, 4]));
        let model = SavedModel { parts, ..example() };
        let folder = tempfile::tempdir().unwrap();
        for (format, end) in [(ExportFormat::Parquet, "parquet"), (ExportFormat::Arrow, "arrow")] {
            let to = folder.path().join(end);
            export(&model, &to, format).unwrap_or_else(|error| panic!("{end}: {error}"));
            for (name, column, rows) in
                [("of_users", "id", 2), ("of_items", "id", 3), ("of_nobody", "row", 5), ("users.cube", "value", 4)]
            {
                let found = table(&to.join(format!("{name}.{end}")));
                assert_eq!(found, (vec![column.to_owned()], rows), "{name}.{end}");
            }
            let told: serde_json::Value = serde_json::from_slice(&fs::read(to.join("model.json")).unwrap()).unwrap();
            for name in ["nothing", "no_rows"] {
                assert!(!to.join(format!("{name}.{end}")).exists(), "{name}: an empty file tells nothing");
                let told = told["arrays"].as_array().unwrap().iter().find(|array| array["name"] == name).unwrap();
                assert!(told["file"].is_null(), "{told}");
            }
            assert!(!to.join("numbers.json").exists(), "there is no single number");
        }
        let to = folder.path().join("safetensors");
        export(&model, &to, ExportFormat::Safetensors).unwrap();
        assert_eq!(tensors::read(&fs::read(to.join("model.safetensors")).unwrap()), Some(model.parts));
    }

    #[test]
    fn safetensors_hold_every_array_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("new/model");
        let exported = export(&model(), &to, ExportFormat::Safetensors).unwrap();
        assert_eq!(
            exported.files,
            ["README.md", "items.json", "model.json", "model.safetensors", "spec.toml", "users.json"]
        );
        assert_eq!(tensors::read(&fs::read(to.join("model.safetensors")).unwrap()), Some(model().parts));
        assert_eq!(fs::read_to_string(to.join("users.json")).unwrap(), "[\"u1\",\"u2\"]");
        let error = export(&model(), &to, ExportFormat::Safetensors).unwrap_err().to_string();
        assert!(error.ends_with("holds other files; name a new or empty folder"), "{error}");
    }
}
