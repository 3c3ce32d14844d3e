//! What lies beside an exported model for whoever reads it without this lab: `README.md` for people, `model.json` for programs.

use std::fmt::Write as _;

use recspeed_data::parts::Array;
use recspeed_types::catalogue;
use serde::Serialize;

use crate::SavedModel;
use crate::layouts::{self, Positions};

/// What the three arrays of a sparse matrix end with.
pub(crate) const SPARSE: [&str; 3] = [".indptr", ".indices", ".values"];

/// An array, or a sparse matrix, of an exported model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ArrayPage {
    /// Its name.
    name: String,
    /// The file that holds it; none of what is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// Its shape, as of a matrix rows and columns; none of single numbers.
    shape: Vec<usize>,
    /// Entries of a sparse matrix, in a table of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<usize>,
    /// What the positions of each row are, or the entries of a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    positions: Vec<String>,
    /// What it is.
    what: &'static str,
}

impl ArrayPage {
    /// Of an array in `file`; of one of the three of a sparse matrix, what that is.
    pub(crate) fn of(model: &SavedModel, name: &str, array: &Array, file: Option<String>) -> Self {
        let recommender = &model.manifest.spec.recommender;
        let matrix = SPARSE.iter().find_map(|end| layouts::part_of(recommender, name.strip_suffix(end)?));
        let what = matrix.or_else(|| layouts::part_of(recommender, name)).map_or("", |part| part.what);
        let positions = if matrix.is_some() { Vec::new() } else { positions(model, name, array) };
        Self { name: name.to_owned(), file, shape: array.shape.clone(), entries: None, positions, what }
    }

    /// Of a sparse matrix of so many rows and entries in `file`.
    pub(crate) fn of_sparse(
        model: &SavedModel,
        name: &str,
        (rows, entries): (usize, usize),
        file: Option<String>,
    ) -> Self {
        let part = layouts::part_of(&model.manifest.spec.recommender, name);
        let what = part.map_or("", |part| part.what);
        Self { name: name.to_owned(), file, shape: vec![rows], entries: Some(entries), positions: Vec::new(), what }
    }

    /// Rows and columns in words.
    fn size(&self) -> String {
        let rows = || self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        match (self.entries, self.shape.is_empty()) {
            (Some(entries), _) => format!("{} rows, {entries} entries", rows()),
            (None, true) => "one number".to_owned(),
            (None, false) => rows(),
        }
    }
}

/// Names of the positions of a matrix' rows, or of the entries of a list.
pub(crate) fn positions(model: &SavedModel, name: &str, array: &Array) -> Vec<String> {
    let part = layouts::part_of(&model.manifest.spec.recommender, name);
    let positions = part.map_or(Positions::Unnamed, |part| part.positions);
    array.shape.last().map_or_else(Vec::new, |&width| positions.names(width))
}

/// What `model.json` holds.
#[derive(Debug, Serialize)]
struct ModelPage<'a> {
    kind: &'a str,
    run: &'a str,
    lab: &'a str,
    prediction: &'a str,
    source: String,
    users: usize,
    items: usize,
    arrays: &'a [ArrayPage],
}

fn page<'a>(model: &'a SavedModel, arrays: &'a [ArrayPage]) -> ModelPage<'a> {
    let (manifest, kind) = (&model.manifest, model.manifest.spec.recommender.kind.as_str());
    let source = catalogue::find(kind).map_or_else(String::new, |entry| {
        let source = &entry.source;
        let parts = [source.authors, source.title, source.link].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(". ")
    });
    ModelPage {
        kind,
        run: manifest.run.as_str(),
        lab: &manifest.lab,
        prediction: layouts::find(kind).map_or("", |layout| layout.prediction),
        source,
        users: model.users.len(),
        items: model.items.len(),
        arrays,
    }
}

/// `model.json`.
pub(crate) fn json(model: &SavedModel, arrays: &[ArrayPage]) -> String {
    serde_json::to_string_pretty(&page(model, arrays)).unwrap_or_default() + "\n"
}

/// How tables are read.
const TABLES: &str = "Users and items are counted from 0 in the order of `ids-users` and `ids-items`. A matrix is a table with a row for each \
                      user or item, their `id`, and the numbers of the row as the list `values`; a list has one number, `value`, in each \
                      row, or `name` and `value`. A sparse matrix is a table of its entries: `row`, `column`, `value`, with ids where rows \
                      and columns are users or items, otherwise with numbers from 0; what is not there is 0. Single numbers stand in \
                      `numbers.json`, texts in `.txt`. What is empty has no file.\n";
/// How a safetensors file is read.
const TENSORS: &str = "Users and items are counted from 0 in the order of `users.json` and `items.json`. A sparse matrix is three arrays: the \
                       columns and values of row r are NAME.indices and NAME.values from NAME.indptr[r] to before NAME.indptr[r + 1]; \
                       what is not there is 0. Texts are bytes of UTF-8.\n";

/// `README.md`; `as_tables` where each array is a table of its own, otherwise all are one safetensors file.
pub(crate) fn markdown(model: &SavedModel, arrays: &[ArrayPage], as_tables: bool) -> String {
    let page = page(model, arrays);
    let mut text = format!(
        "# {}, run {}\n\nA model of Recspeed {}, fitted on {}: {} users and {} items. `spec.toml` is the experiment; `model.json` \
         has what stands here for programs.\n\n## A prediction\n\n{}\n",
        page.kind, page.run, page.lab, model.manifest.data.name, page.users, page.items, page.prediction
    );
    if !page.source.is_empty() {
        let _ = writeln!(text, "\nSource: {}.", page.source);
    }
    text.push_str("\n## How to read it\n\n");
    text.push_str(if as_tables { TABLES } else { TENSORS });
    text.push_str("\n## Arrays\n\n| array | size | file | what it is |\n|---|---|---|---|\n");
    for array in arrays {
        let file = array.file.as_ref().map_or_else(|| "none: empty".to_owned(), |file| format!("`{file}`"));
        let positions = if array.positions.is_empty() {
            String::new()
        } else {
            format!(" Positions: {}.", shortened(&array.positions))
        };
        let _ = writeln!(text, "| `{}` | {} | {file} | {}{positions} |", array.name, array.size(), array.what);
    }
    text
}

/// The first two, the last three, and that there are others between them.
fn shortened(names: &[String]) -> String {
    if names.len() <= 6 {
        return names.join(", ");
    }
    format!("{}, ..., {}", names[..2].join(", "), names[names.len() - 3..].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_positions_are_told_by_their_first_and_last_ones() {
        let names: Vec<String> = (1..=9).map(|place| place.to_string()).collect();
        assert_eq!(shortened(&names), "1, 2, ..., 7, 8, 9");
        assert_eq!(shortened(&names[..3]), "1, 2, 3");
    }
}
