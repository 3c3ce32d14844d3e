//! The list of runs: a page of it, by status and words.

use recspeed_types::api::{RunPage, RunStatus};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::error::StoreError;
use super::runs::{COLUMNS, Raw};

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only runs older than this number.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: u32,
    /// Only runs in which each of these is found.
    pub words: Vec<Word>,
    /// Only runs that stand so.
    pub status: Option<RunStatus>,
}

/// A word of a search.
#[derive(Debug, Clone, Default)]
pub struct Word {
    /// What the id, the name, or the stored names of recommender and data set may contain.
    pub text: String,
    /// Recommenders whose title contains it.
    pub recommenders: Vec<String>,
    /// Data sets whose title contains it, as [`super::dataset_key`] names them.
    pub datasets: Vec<String>,
}

/// Runs, newest first.
///
/// # Errors
/// [`StoreError`] when the store cannot be read. A damaged run is left out and logged.
pub fn list(connection: &Connection, query: &ListQuery) -> Result<RunPage, StoreError> {
    let mut values: Vec<Value> = vec![
        query.before.map_or(Value::Null, Value::Integer),
        query.status.map_or(Value::Null, |status| Value::Text(status.as_str().to_owned())),
        Value::Integer(i64::from(query.limit) + 1),
    ];
    let mut place = |value: &str| {
        values.push(Value::Text(value.to_owned()));
        format!("?{}", values.len())
    };
    let each = |word: &Word| {
        let text = word.text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let text = place(&format!("%{text}%"));
        let like = ["id", "name", "recommender", "dataset"].map(|column| format!("{column} LIKE {text} ESCAPE '\\'"));
        let recommenders: Vec<String> = word.recommenders.iter().map(|kind| place(kind)).collect();
        let datasets: Vec<String> = word.datasets.iter().map(|key| place(key)).collect();
        let (like, recommenders, datasets) = (like.join(" OR "), recommenders.join(", "), datasets.join(", "));
        format!(" AND ({like} OR recommender IN ({recommenders}) OR dataset IN ({datasets}))")
    };
    let wanted: Vec<String> = query.words.iter().map(each).collect();
    let wanted = wanted.concat();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs WHERE (?1 IS NULL OR n < ?1) AND (?2 IS NULL OR status = ?2){wanted}
         ORDER BY n DESC LIMIT ?3"
    ))?;
    let wanted = query.limit as usize;
    let rows = statement.query_map(params_from_iter(values), Raw::read)?.collect::<Result<Vec<_>, _>>()?;
    let next = if rows.len() > wanted { rows.get(wanted.wrapping_sub(1)).map(|raw| raw.n.to_string()) } else { None };
    let mut runs = Vec::with_capacity(wanted);
    for raw in rows.iter().take(wanted) {
        match raw.record() {
            Ok(record) => runs.push(record),
            Err(error) => tracing::error!(%error, "left out of the list"),
        }
    }
    Ok(RunPage { runs, next })
}
