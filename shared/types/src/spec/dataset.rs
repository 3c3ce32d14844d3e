//! `[dataset]`: where the ratings come from.

use serde::{Deserialize, Serialize};

use super::Problems;
use crate::builtin;
use crate::limits::{LIKED_FROM, MAX_DRAWN, MAX_FILTER_ROWS, MAX_PATH_CHARS};

/// `[dataset]` as written. Which fields apply depends on `source`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DatasetSpec {
    /// Where the rows come from.
    pub source: DataSource,
    /// `builtin`: the data set's name. `upload`: the content hash that the upload answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `file`: the path; a relative one is looked up beside the spec file, then under `RECSPEED_DATA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `file` and `upload`: how the file is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DataFormat>,
    /// `parquet` and `arrow`: the names of the columns, where they are not the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<ColumnNames>,
    /// `file`: item attributes, a RecBole `.item` file, looked up like `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// `file`: user attributes, a RecBole `.user` file, looked up like `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<String>,
    /// Share of lines that may be bad before the run fails, 0 to 1 (0.01 unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bad_share: Option<f64>,
    /// Keep only users with at least this many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_user: Option<u32>,
    /// Keep only items with at least this many rows. With `min_user`, applied in turn until nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_item: Option<u32>,
    /// Keep this many rows, drawn by the seed, in the file's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u64>,
    /// Drop rows rated below this: what remains counts as positive feedback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implicit_threshold: Option<f64>,
}

/// Where the rows of a data set come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DataSource {
    /// Made from the seed by the lab itself.
    Builtin,
    /// A file on the machine that runs the experiment.
    File,
    /// A file that somebody gave to the server or to the tab.
    Upload,
}

/// The columns of a table by what they hold. One that is not named is looked for under its usual names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ColumnNames {
    /// Ids of the users: text or whole numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Ids of the items: text or whole numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Ratings: numbers. A table may be without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<String>,
    /// Times: seconds since 1970, or of a type of times. A table may be without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

impl ColumnNames {
    /// What can be named, and the name given: `user`, `item`, `rating`, `timestamp`.
    pub fn named(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("user", self.user.as_deref()),
            ("item", self.item.as_deref()),
            ("rating", self.rating.as_deref()),
            ("timestamp", self.timestamp.as_deref()),
        ]
    }
}

/// How a data file is written. A text may be packed with gzip or zstd, which is recognised by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DataFormat {
    /// `user,item,rating,timestamp`, with or without header and trailing comma.
    AmazonCsv,
    /// MovieLens `u.data` (tabs), `ratings.dat` (`::`), `ratings.csv` (commas, header); told apart by the first line.
    Movielens,
    /// RecBole atomic file: tab-separated, typed header.
    Recbole,
    /// One user a line: `user item item item …`, oldest first.
    Sequences,
    /// Apache Parquet; the columns by their usual names, or as `columns` says.
    Parquet,
    /// Apache Arrow IPC, file (Feather version 2) or stream; the columns as for `parquet`.
    Arrow,
}

impl DataFormat {
    /// Every format.
    pub const ALL: [Self; 6] =
        [Self::AmazonCsv, Self::Movielens, Self::Recbole, Self::Sequences, Self::Parquet, Self::Arrow];

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmazonCsv => "amazon-csv",
            Self::Movielens => "movielens",
            Self::Recbole => "recbole",
            Self::Sequences => "sequences",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::AmazonCsv => "Amazon CSV",
            Self::Movielens => "MovieLens",
            Self::Recbole => "RecBole",
            Self::Sequences => "Sequences",
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
        }
    }

    /// Whether the file is a table with named columns, which a server reads and a tab does not.
    pub const fn is_table(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }
}

/// `[dataset]`, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Where the rows come from.
    pub source: Source,
    /// Which rows are kept.
    pub filters: Filters,
}

/// Where the rows come from, with what each source needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Made from the seed.
    Builtin {
        /// The entry of the data-set catalogue.
        entry: &'static builtin::BuiltinDataset,
    },
    /// A file on the machine that runs the experiment.
    File {
        /// The path as written.
        path: String,
        /// How it is written.
        format: DataFormat,
        /// Names of a table's columns.
        columns: ColumnNames,
        /// Item attributes.
        items: Option<String>,
        /// User attributes.
        users: Option<String>,
        /// Share of lines that may be bad.
        max_bad_share: f64,
    },
    /// A file given to the server or to the tab.
    Upload {
        /// SHA-256 of the content, 64 hexadecimal digits.
        sha256: String,
        /// How it is written.
        format: DataFormat,
        /// Names of a table's columns.
        columns: ColumnNames,
        /// Share of lines that may be bad.
        max_bad_share: f64,
    },
}

impl Source {
    /// Whether attributes of the items come with it, known before anything is read: what the lab makes has some, a file has those that
    /// `dataset.items` names, an upload has none.
    pub const fn has_item_attributes(&self) -> bool {
        match self {
            Self::Builtin { .. } => true,
            Self::File { items, .. } => items.is_some(),
            Self::Upload { .. } => false,
        }
    }

    /// The same of attributes of the users; what the lab makes has none.
    pub const fn has_user_attributes(&self) -> bool {
        match self {
            Self::File { users, .. } => users.is_some(),
            Self::Builtin { .. } | Self::Upload { .. } => false,
        }
    }
}

/// Which rows are kept, applied in this order: threshold, minimum counts, sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Filters {
    /// Rows of a user, at least; 0 keeps all.
    pub min_user: u32,
    /// Rows of an item, at least; 0 keeps all.
    pub min_item: u32,
    /// Rows kept, drawn by the seed.
    pub sample: Option<u64>,
    /// Lowest rating kept.
    pub implicit_threshold: Option<f64>,
}

impl Filters {
    /// Whether every row is kept.
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }
}

/// Share of lines that may be bad when the spec does not say.
pub(crate) const DEFAULT_MAX_BAD_SHARE: f64 = 0.01;

impl DatasetSpec {
    /// A built-in data set without filters.
    pub fn builtin(id: &str) -> Self {
        Self { id: Some(id.to_owned()), ..Self::empty(DataSource::Builtin) }
    }

    /// A file without filters.
    pub fn file(path: &str, format: DataFormat) -> Self {
        Self { path: Some(path.to_owned()), format: Some(format), ..Self::empty(DataSource::File) }
    }

    /// An uploaded file without filters.
    pub fn upload(sha256: &str, format: DataFormat) -> Self {
        Self { id: Some(sha256.to_owned()), format: Some(format), ..Self::empty(DataSource::Upload) }
    }

    const fn empty(source: DataSource) -> Self {
        Self {
            source,
            id: None,
            path: None,
            format: None,
            columns: None,
            items: None,
            users: None,
            max_bad_share: None,
            min_user: None,
            min_item: None,
            sample: None,
            implicit_threshold: None,
        }
    }

    pub(crate) fn resolve(&self, problems: &mut Problems) -> Option<Dataset> {
        let source = match self.source {
            DataSource::Builtin => self.resolve_builtin(problems),
            DataSource::File => self.resolve_file(problems),
            DataSource::Upload => self.resolve_upload(problems),
        };
        for (path, value) in [("dataset.min_user", self.min_user), ("dataset.min_item", self.min_item)] {
            if let Some(value) = value {
                problems.range(path, value, 1, MAX_FILTER_ROWS);
            }
        }
        if let Some(sample) = self.sample {
            problems.range("dataset.sample", sample, 1, u64::from(MAX_DRAWN));
        }
        if let Some(threshold) = self.implicit_threshold {
            problems.range("dataset.implicit_threshold", threshold, LIKED_FROM.0, LIKED_FROM.1);
        }
        let filters = Filters {
            min_user: self.min_user.unwrap_or(0),
            min_item: self.min_item.unwrap_or(0),
            sample: self.sample,
            implicit_threshold: self.implicit_threshold,
        };
        source.map(|source| Dataset { source, filters })
    }

    fn resolve_builtin(&self, problems: &mut Problems) -> Option<Source> {
        let because = "dataset.source is `builtin`";
        problems.refuse("dataset.path", self.path.as_ref(), because);
        problems.refuse("dataset.format", self.format.as_ref(), because);
        problems.refuse("dataset.columns", self.columns.as_ref(), because);
        problems.refuse("dataset.items", self.items.as_ref(), because);
        problems.refuse("dataset.users", self.users.as_ref(), because);
        problems.refuse("dataset.max_bad_share", self.max_bad_share.as_ref(), because);
        let entry = self.id.as_deref().and_then(builtin::find);
        if entry.is_none() {
            let given = self.id.as_deref().map_or("is missing".to_owned(), |id| format!("is `{}`", shorten(id)));
            problems.add("dataset.id", format!("{given}; allowed: {}", builtin::ids().join(", ")));
        }
        entry.map(|entry| Source::Builtin { entry })
    }

    fn resolve_file(&self, problems: &mut Problems) -> Option<Source> {
        problems.refuse("dataset.id", self.id.as_ref(), "dataset.source is `file`, which is found by `path`");
        let path = if let Some(path) = &self.path {
            check_path("dataset.path", path, problems)
        } else {
            problems.add("dataset.path", "is missing; with source = \"file\" write the path of the ratings file");
            None
        };
        let items = self.items.as_ref().and_then(|p| check_path("dataset.items", p, problems));
        let users = self.users.as_ref().and_then(|p| check_path("dataset.users", p, problems));
        let format = self.needed_format(problems);
        let columns = self.column_names(problems);
        let max_bad_share = self.bad_share(problems);
        Some(Source::File { path: path?, format: format?, columns, items, users, max_bad_share })
    }

    fn resolve_upload(&self, problems: &mut Problems) -> Option<Source> {
        let because = "dataset.source is `upload`";
        problems.refuse("dataset.path", self.path.as_ref(), because);
        problems.refuse("dataset.items", self.items.as_ref(), because);
        problems.refuse("dataset.users", self.users.as_ref(), because);
        let hash = self
            .id
            .as_deref()
            .filter(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        if hash.is_none() {
            problems.add("dataset.id", "must be the 64 hexadecimal digits that the upload answered with");
        }
        let format = self.needed_format(problems);
        let columns = self.column_names(problems);
        let max_bad_share = self.bad_share(problems);
        Some(Source::Upload { sha256: hash?.to_owned(), format: format?, columns, max_bad_share })
    }

    fn needed_format(&self, problems: &mut Problems) -> Option<DataFormat> {
        if self.format.is_none() {
            let names = DataFormat::ALL.map(DataFormat::as_str).join(", ");
            problems.add("dataset.format", format!("is missing; allowed: {names}"));
        }
        self.format
    }

    fn column_names(&self, problems: &mut Problems) -> ColumnNames {
        let columns = self.columns.clone().unwrap_or_default();
        if self.format.is_some_and(|format| !format.is_table()) {
            let because = "only the formats parquet and arrow have named columns";
            problems.refuse("dataset.columns", self.columns.as_ref(), because);
        }
        for (what, name) in columns.named() {
            let chars = name.map_or(1, |name| name.chars().count());
            if !(1..=MAX_PATH_CHARS).contains(&chars) {
                let message = format!("has {chars} characters; allowed: 1 to {MAX_PATH_CHARS}");
                problems.add(format!("dataset.columns.{what}"), message);
            }
        }
        columns
    }

    fn bad_share(&self, problems: &mut Problems) -> f64 {
        problems.range("dataset.max_bad_share", self.max_bad_share.unwrap_or(DEFAULT_MAX_BAD_SHARE), 0.0, 1.0)
    }
}

fn check_path(field: &str, path: &str, problems: &mut Problems) -> Option<String> {
    let chars = path.chars().count();
    if chars == 0 {
        problems.add(field, "is empty; write the path of a file on the machine that runs the experiment");
        return None;
    }
    if chars > MAX_PATH_CHARS || path.contains('\0') {
        problems.add(field, format!("has {chars} characters; allowed: 1 to {MAX_PATH_CHARS}, without NUL"));
        return None;
    }
    Some(path.to_owned())
}

/// The first characters of a given text, for quoting it in a message.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(60).chain(['…']).collect() }
}
