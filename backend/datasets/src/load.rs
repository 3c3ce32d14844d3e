//! From a spec's `[dataset]` to interactions.

use std::path::Path;

use bytes::Bytes;
use recspeed_data::table::{is_arrow, read_attributes_arrow};
use recspeed_data::{
    AttributeOutcome, Attributes, Coverage, Interactions, ReadError, ReadLimits, ReadReport, apply_filters,
    columns_sha256, generate, read_attributes,
};
use recspeed_types::spec::{ColumnNames, Dataset, Source};

use crate::cache::{self, Cached};
use crate::content::hash_with_progress;
use crate::error::LoadError;
use crate::home::DataHome;
use crate::lookup::LookUp;
use crate::map::FileBytes;
use crate::parquet_file::{is_parquet, read_attributes_parquet};
use crate::read::{Reading, unpacked};

/// What to load.
#[derive(Debug, Clone, Copy)]
pub struct LoadRequest<'a> {
    /// `[dataset]`, checked.
    pub dataset: &'a Dataset,
    /// Seed of built-in sets and of samples.
    pub seed: u64,
    /// Where relative paths are looked for.
    pub look_up: &'a LookUp,
}

/// A data set in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The rows that the filters keep.
    pub interactions: Interactions,
    /// What was read and what was skipped; of a built-in set, its rows.
    pub report: ReadReport,
    /// SHA-256 of the file's content; of a built-in set, of its columns.
    pub sha256: String,
    /// For people: the title of a built-in set, the file's name, the name of an upload.
    pub name: String,
    /// Whether the lab made the data up.
    pub synthetic: bool,
    /// Whether the parsed file came from the cache.
    pub from_cache: bool,
    /// Rows before the filters.
    pub rows_before_filters: usize,
    /// Item attributes, where the data set has them.
    pub item_attributes: Option<Attributes>,
    /// User attributes, where the data set has them.
    pub user_attributes: Option<Attributes>,
    /// What the user should know: a damaged cache file that was replaced, a cache that cannot be written, attributes of which a part
    /// does not count.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// How far the attributes cover the items and users of the rows that are left; of each table that there is.
    pub fn coverage(&self) -> Vec<Coverage> {
        let of = |of, table: &Option<Attributes>, ids| table.as_ref().map(|table| table.coverage(of, ids));
        let Self { interactions, item_attributes, user_attributes, .. } = self;
        let items = of("items", item_attributes, &interactions.items);
        items.into_iter().chain(of("users", user_attributes, &interactions.users)).collect()
    }

    /// What a report on the data warns of: what was seen while they were read, and attributes that are not known of every item or user.
    pub fn report_warnings(&self) -> Vec<String> {
        let uncovered = self.coverage().into_iter().filter_map(|coverage| coverage.warning());
        self.warnings.iter().cloned().chain(uncovered).collect()
    }
}

impl DataHome {
    /// Loads what `[dataset]` names and applies its filters. A file is mapped, hashed and parsed once; later loads take
    /// the parsed form from the cache. A damaged cache file is replaced, with a warning. `progress` hears how many of how
    /// many bytes are hashed.
    ///
    /// # Errors
    /// [`LoadError`]: the file is missing, unreadable or no such data, or the filters leave nothing.
    pub fn load(&self, request: &LoadRequest<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded, LoadError> {
        let mut loaded = match &request.dataset.source {
            Source::Builtin { entry } => {
                let made = generate(entry, request.seed);
                let rows = made.interactions.len();
                progress(rows as u64, rows as u64);
                Loaded {
                    report: ReadReport { rows: rows as u64, ..ReadReport::default() },
                    sha256: columns_sha256(&made.interactions),
                    interactions: made.interactions,
                    name: entry.title.to_owned(),
                    synthetic: true,
                    from_cache: false,
                    rows_before_filters: rows,
                    item_attributes: Some(made.item_attributes),
                    user_attributes: None,
                    warnings: Vec::new(),
                }
            }
            Source::File { path, format, columns, items, users, max_bad_share } => {
                let reading = Reading { format: *format, columns };
                let field = "dataset.path";
                let found = find(request.look_up, field, path)?;
                let name = found.file_name().map_or_else(|| path.clone(), |name| name.to_string_lossy().into_owned());
                let mut loaded = self.load_file(field, &found, name, reading, *max_bad_share, progress)?;
                let warnings = &mut loaded.warnings;
                let mut attributes = |field, path: &Option<String>| -> Result<Option<Attributes>, LoadError> {
                    let Some(path) = path else { return Ok(None) };
                    let AttributeOutcome { attributes, report, .. } =
                        load_attributes(request.look_up, (field, path.as_str()), columns)?;
                    warnings.extend(report.warnings(field));
                    Ok(Some(attributes))
                };
                let items = attributes("dataset.items", items)?;
                let users = attributes("dataset.users", users)?;
                (loaded.item_attributes, loaded.user_attributes) = (items, users);
                loaded
            }
            Source::Upload { sha256, format, columns, max_bad_share } => {
                let reading = Reading { format: *format, columns };
                let path = self.find(sha256)?;
                let name = self.record(sha256).map_or_else(|_| sha256.clone(), |record| record.name);
                self.load_file("dataset.id", &path, name, reading, *max_bad_share, progress)?
            }
        };
        if !request.dataset.filters.keeps_all() {
            let rows = loaded.interactions.len();
            loaded.interactions = apply_filters(loaded.interactions, &request.dataset.filters, request.seed);
            if loaded.interactions.is_empty() {
                return Err(LoadError::NothingLeft { rows });
            }
        }
        Ok(loaded)
    }

    fn load_file(
        &self,
        field: &'static str,
        path: &Path,
        name: String,
        reading: Reading<'_>,
        max_bad_share: f64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Loaded, LoadError> {
        let bytes = open(field, path)?;
        let sha256 = hash_with_progress(&bytes, progress);
        let mut warnings = Vec::new();
        let limits = ReadLimits { max_bad_share, ..ReadLimits::default() };
        let cached = match cache::get(&cache::path(&self.cache(), &sha256, reading)) {
            Cached::Hit(hit) => Some(*hit).filter(|(_, report)| report.bad_share() <= max_bad_share),
            Cached::Miss => None,
            Cached::Damaged(warning) => {
                warnings.push(warning);
                None
            }
        };
        let from_cache = cached.is_some();
        let (interactions, report) = if let Some(hit) = cached {
            hit
        } else {
            let outcome = reading.read(&bytes, limits).map_err(|e| read_error(field, path, e))?;
            warnings.extend(self.keep_parsed(&sha256, reading, &outcome.interactions, &outcome.report));
            (outcome.interactions, outcome.report)
        };
        warnings.extend(report.warnings_of_times(&interactions));
        Ok(Loaded {
            rows_before_filters: interactions.len(),
            interactions,
            report,
            sha256,
            name,
            synthetic: false,
            from_cache,
            item_attributes: None,
            user_attributes: None,
            warnings,
        })
    }
}

fn load_attributes(
    look_up: &LookUp,
    (field, path): (&'static str, &str),
    columns: &ColumnNames,
) -> Result<AttributeOutcome, LoadError> {
    let found = find(look_up, field, path)?;
    let (bytes, limits) = (open(field, &found)?, ReadLimits::default());
    let bytes = unpacked(&bytes, limits).map_err(|source| read_error(field, &found, source))?;
    let outcome = match &bytes[..] {
        bytes if is_arrow(bytes) => read_attributes_arrow(bytes, limits),
        whole if is_parquet(whole) => read_attributes_parquet(&bytes, limits),
        text => read_attributes(text),
    };
    // First of all whose ids they are: what is not of these has nothing else to mend.
    let of_items = field == "dataset.items";
    let own = if of_items { &columns.item } else { &columns.user };
    let outcome = outcome.and_then(|outcome| {
        // Items may be people, whose column the spec then names.
        if own.as_deref() != outcome.id_column.split(':').next() {
            outcome.check_ids(of_items)?;
        }
        Ok(outcome)
    });
    let outcome = outcome.and_then(|outcome| match outcome.attributes.columns.len() {
        0 => Err(ReadError::NoAttributes { what: "has ids and nothing beside them" }),
        _ => Ok(outcome),
    });
    outcome.map_err(|source| read_error(field, &found, source.of_attributes()))
}

fn find(look_up: &LookUp, field: &'static str, path: &str) -> Result<std::path::PathBuf, LoadError> {
    look_up.find(path).map_err(|looked| LoadError::Missing {
        field,
        path: path.to_owned(),
        looked,
        has_data_root: look_up.data_root.is_some(),
    })
}

fn open(field: &'static str, path: &Path) -> Result<Bytes, LoadError> {
    FileBytes::open(path).map(Bytes::from_owner).map_err(|source| LoadError::Io {
        field,
        path: path.to_owned(),
        source,
    })
}

fn read_error(field: &'static str, path: &Path, source: ReadError) -> LoadError {
    LoadError::Read { field, path: path.to_owned(), source }
}
