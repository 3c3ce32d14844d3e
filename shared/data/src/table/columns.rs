//! Which column holds what.

use arrow_schema::{DataType, Schema};
use recspeed_types::spec::ColumnNames;

use crate::read::{ReadError, quote};

/// The usual names, the likeliest first; letters and digits alone count, in lower case.
const USER: &[&str] =
    &["user", "userid", "uid", "reviewerid", "reviewer", "customerid", "customer", "memberid", "member"];
const ITEM: &[&str] = &[
    "item",
    "itemid",
    "iid",
    "movieid",
    "movie",
    "productid",
    "product",
    "parentasin",
    "asin",
    "articleid",
    "article",
    "trackid",
    "songid",
    "artistid",
    "bookid",
    "businessid",
    "gameid",
    "isbn",
    "sku",
];
const RATING: &[&str] = &["rating", "ratings", "stars", "star", "score", "overall", "reviewrating", "userrating"];
const TIMESTAMP: &[&str] =
    &["timestamp", "time", "ts", "unixreviewtime", "unixtime", "datetime", "date", "createdat", "eventtime"];

/// Columns of an error that are named.
const SHOWN: usize = 12;

/// Places of the columns in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) user: usize,
    pub(super) item: usize,
    pub(super) rating: Option<usize>,
    pub(super) timestamp: Option<usize>,
}

impl Places {
    /// Every place once, ascending.
    pub(super) fn used(self) -> Vec<usize> {
        let mut used: Vec<usize> =
            [Some(self.user), Some(self.item), self.rating, self.timestamp].into_iter().flatten().collect();
        used.sort_unstable();
        used.dedup();
        used
    }
}

/// Finds the columns and checks their types.
pub(super) fn find(schema: &Schema, names: &ColumnNames) -> Result<Places, ReadError> {
    let find = |what, given: &Option<String>, usual| place(schema, what, given.as_deref(), usual);
    let user = find("user", &names.user, USER)?.ok_or_else(|| no_column(schema, "user", None))?;
    let item = find("item", &names.item, ITEM)?.ok_or_else(|| no_column(schema, "item", None))?;
    let rating = find("rating", &names.rating, RATING)?;
    let timestamp = find("timestamp", &names.timestamp, TIMESTAMP)?;
    for (what, place) in [("user", user), ("item", item)] {
        check(schema, what, place, "text or whole numbers", is_id)?;
    }
    if let Some(place) = rating {
        check(schema, "rating", place, "numbers", is_number)?;
    }
    if let Some(place) = timestamp {
        check(schema, "timestamp", place, "seconds since 1970 as numbers, times or dates", is_time)?;
    }
    Ok(Places { user, item, rating, timestamp })
}

fn place(schema: &Schema, what: &'static str, given: Option<&str>, usual: &[&str]) -> Result<Option<usize>, ReadError> {
    let fields = schema.fields();
    if let Some(name) = given {
        let found = fields.iter().position(|field| field.name() == name);
        return found.map(Some).ok_or_else(|| no_column(schema, what, Some(name)));
    }
    Ok(usual.iter().find_map(|usual| fields.iter().position(|field| plain(field.name()) == *usual)))
}

/// `User_ID` and `user_id:token` as `userid`.
fn plain(name: &str) -> String {
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn no_column(schema: &Schema, what: &'static str, given: Option<&str>) -> ReadError {
    let fields = schema.fields();
    let mut known: Vec<String> =
        fields.iter().take(SHOWN).map(|f| format!("`{}`", quote(f.name().as_bytes()))).collect();
    if fields.len() > SHOWN {
        known.push(format!("{} more", fields.len() - SHOWN));
    }
    let known = if known.is_empty() { "no columns".to_owned() } else { known.join(", ") };
    ReadError::NoColumn { what, given: given.map(str::to_owned), known }
}

fn check(
    schema: &Schema,
    what: &'static str,
    place: usize,
    expected: &'static str,
    fits: fn(&DataType) -> bool,
) -> Result<(), ReadError> {
    let field = schema.field(place);
    if fits(field.data_type()) {
        return Ok(());
    }
    let column = quote(field.name().as_bytes());
    Err(ReadError::ColumnType { column, what, found: quote(field.data_type().to_string().as_bytes()), expected })
}

pub(super) fn is_id(found: &DataType) -> bool {
    match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_id(values),
        other => other.is_integer(),
    }
}

pub(super) fn is_number(found: &DataType) -> bool {
    found.is_integer() || found.is_floating() || found.is_decimal() || *found == DataType::Boolean
}

fn is_time(found: &DataType) -> bool {
    is_number(found) && *found != DataType::Boolean
        || matches!(found, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}
