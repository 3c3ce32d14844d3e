//! Whose a checkpoint is, and whether it is whole: the same for fits, networks and hybrids of both.
//!
//! What a fit writes of itself says nothing of where it comes from. Behind it stand its [`Identity`] in words (the
//! recommender with all settings, the seed, the sizes, hashes of the rows and the attributes) and a checksum of it all: a
//! fit that went on from the checkpoint of other rows would know some of those that it is tested on.
//!
//! Layout: the state, the words (a line each), and little-endian the length of the words (u64), the FNV-1a of all before
//! (u64), [`SEAL`].

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use recspeed_types::catalogue::Whose;
use recspeed_types::spec::{FeatureName, ResolvedRecommender};

pub use error::CheckpointError;

use crate::{Attributes, Interactions, attributes_hash, fnv1a, rows_hash};

/// The end of a checkpoint. The digit is the version of this layout and of what an identity is made of.
const SEAL: &[u8; 8] = b"RSOWNER2";
/// Bytes behind the words: their length, the checksum, [`SEAL`].
const NUMBERS: usize = 8 + 8 + SEAL.len();

/// Bytes at either end of a file by which [`look`] judges it.
pub const LOOK: usize = 256;

/// Ends of what earlier versions wrote.
const EARLIER_ENDS: [&[u8]; 3] = [b"RSOWNER1", b"RSHYB002", b"RSHYB003"];
/// Beginnings of what earlier versions wrote.
const EARLIER_BEGINNINGS: [&[u8]; 5] = [b"RSHYB001", b"recsnn01", b"recsnn02", b"recsnn03", b"recsnn04"];
/// What states begin with, before their version: of fits in iterations, of ALS, of networks.
const STATES: [&[u8]; 3] = [b"RSFIT", b"RSALS", b"recsnn"];

/// What names the recommender in an identity.
const KIND: &str = "recommender.kind";
/// What names the rows that are learnt from.
const ROWS: &str = "hash of the rows";
/// What names the rows that steer.
const VALIDATION: &str = "hash of the validation rows";
/// What names the attributes of the items.
const ITEMS: &str = "hash of the item attributes";
/// What names the attributes of the users.
const USERS: &str = "hash of the user attributes";
/// What names a network and its lesson.
const NETWORK: &str = "hash of the network";

/// Hashes of data, and what is other where they differ.
const HASHES: &[(&str, &str)] = &[
    (ROWS, "as many training rows, but other users, items, ratings or times, or in another order"),
    (VALIDATION, "as many validation rows, but others"),
    (ITEMS, "other item attributes (dataset.items, [features])"),
    (USERS, "other user attributes (dataset.users, [features])"),
];

/// Characters of a value that are told; settings that are told.
const SHOWN: usize = 60;
const MOST: usize = 8;

/// What a fit depends on: values by their names in the spec, or of the data. A checkpoint goes on with a fit of the same
/// identity alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity(BTreeMap<String, String>);

impl Identity {
    /// With one more value, which must not lose what tells it from others.
    #[must_use]
    pub fn with(mut self, name: &str, value: &dyn fmt::Display) -> Self {
        // The names of attributes may hold anything.
        self.0.insert(name.to_owned(), value.to_string().replace('\n', "\\n"));
        self
    }

    /// With all that another one holds.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        self
    }

    /// With kind and settings of a recommender and of every component of it, but for settings of these names.
    #[must_use]
    pub fn with_recommender(mut self, recommender: &ResolvedRecommender, left_out: &[&str]) -> Self {
        recommender.visit("recommender", &mut |at, part| {
            let kind = format!("{:?}", part.entry.kind);
            let settings = part.params().iter().filter(|(name, _)| !left_out.contains(*name));
            let settings = settings.map(|(name, value)| (format!("{at}.{name}"), value.exact()));
            self.0.extend(settings.chain([(format!("{at}.kind"), kind)]));
        });
        self
    }

    /// With the rows that are learnt from, and how many users and items there are.
    ///
    /// # Panics
    /// When a row number is not below the number of interactions.
    #[must_use]
    pub fn with_rows(self, interactions: &Interactions, rows: &[u32]) -> Self {
        let hash = rows_hash(interactions, rows);
        self.with("users", &interactions.n_users())
            .with("items", &interactions.n_items())
            .with("training rows", &rows.len())
            .with(ROWS, &format!("{hash:016x}"))
    }

    /// With the rows that steer, where some may.
    ///
    /// # Panics
    /// As [`Self::with_rows`].
    #[must_use]
    pub fn with_validation(self, interactions: &Interactions, rows: &[u32]) -> Self {
        let hash = rows_hash(interactions, rows);
        self.with("validation rows", &rows.len()).with(VALIDATION, &format!("{hash:016x}"))
    }

    /// With those attributes of items and users that the recommender, or a component of it, reads.
    #[must_use]
    pub fn with_attributes(
        mut self,
        recommender: &ResolvedRecommender,
        items: Option<&Attributes>,
        users: Option<&Attributes>,
    ) -> Self {
        for (whose, name, table) in [(Whose::Items, ITEMS, items), (Whose::Users, USERS, users)] {
            if !recommender.reads_attributes_of(whose) {
                continue;
            }
            let reads = |column: &str| {
                recommender.reads_feature(match whose {
                    Whose::Items => FeatureName::Items(column),
                    Whose::Users => FeatureName::Users(column),
                })
            };
            let hash = table.map(|table| attributes_hash(table, &reads));
            self = self.with(name, &hash.map_or_else(|| "none".to_owned(), |hash| format!("{hash:016x}")));
        }
        self
    }

    /// With what a network and its lesson are, in words that may be long.
    #[must_use]
    pub fn with_network(self, in_words: &str) -> Self {
        self.with(NETWORK, &format!("{:016x}", fnv1a(in_words.as_bytes())))
    }

    /// As it stands in a checkpoint.
    fn words(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name} = {value}\n")).collect::<Vec<_>>().concat()
    }

    /// What tells the fit that wrote these words from this one.
    fn difference(&self, words: &str) -> Option<String> {
        let theirs: BTreeMap<&str, &str> = words.lines().filter_map(|line| line.split_once(" = ")).collect();
        let ours: BTreeMap<&str, &str> = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let names: BTreeSet<&str> = theirs.keys().chain(ours.keys()).copied().collect();
        let differing: Vec<&str> = names.into_iter().filter(|name| theirs.get(name) != ours.get(name)).collect();
        let both = |name: &str| told(name, theirs.get(name).copied(), ours.get(name).copied());
        if differing.is_empty() {
            return None;
        }
        // Other kinds have other settings: these say nothing beside it.
        if differing.contains(&KIND) {
            return Some(format!("it belongs to another recommender: {}", both(KIND)));
        }
        let places: Vec<&str> = differing.iter().filter_map(|name| name.strip_suffix(".kind")).collect();
        let follows = |name: &str| {
            let beside =
                |at: &&str| name.strip_prefix(*at).is_some_and(|rest| rest.starts_with('.') && rest != ".kind");
            places.iter().any(beside)
        };
        let is_hash = |name: &str| name == NETWORK || HASHES.iter().any(|(hash, _)| *hash == name);
        let values = differing.iter().copied().filter(|name| !is_hash(name) && !follows(name));
        let mut values: Vec<String> = values.map(both).collect();
        let only_hashes = values.is_empty();
        if values.len() > MOST {
            let more = values.len() - MOST;
            values.truncate(MOST);
            values.push(format!("and {more} more"));
        }
        // That rows are others goes without saying beside another split or seed; attributes are files of their own.
        let says = |name: &str| only_hashes || [ITEMS, USERS].contains(&name);
        let others = HASHES.iter().filter(|(name, _)| differing.contains(name) && says(name));
        values.extend(others.map(|(_, what)| (*what).to_owned()));
        Some(match (only_hashes, values.is_empty()) {
            (true, true) => {
                "it is of the same spec and data, but another version of the lab learns otherwise".to_owned()
            }
            (true, false) => format!("it belongs to other data: {}", values.join("; ")),
            (false, _) => format!("it belongs to another spec or other data: {}", values.join("; ")),
        })
    }
}

/// Both values of a setting.
fn told(name: &str, theirs: Option<&str>, ours: Option<&str>) -> String {
    let [theirs, ours] = [theirs, ours].map(|value| value.unwrap_or("nothing"));
    let same = theirs.chars().zip(ours.chars()).take_while(|(a, b)| a == b).count();
    format!("{name} = {}, here {}", excerpt(theirs, same), excerpt(ours, same))
}

/// A value, of a long one what stands about the place where it begins to differ.
fn excerpt(value: &str, differs: usize) -> String {
    let length = value.chars().count();
    if length <= SHOWN {
        return value.to_owned();
    }
    let from = differs.saturating_sub(SHOWN / 2).min(length - SHOWN);
    let shown: String = value.chars().skip(from).take(SHOWN).collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if from + SHOWN < length { "…" } else { "" });
    format!("{before}{shown}{after}")
}

/// A state with the identity and the checksum behind it, where it lies.
pub fn seal(mut state: Vec<u8>, identity: &Identity) -> Vec<u8> {
    let words = identity.words();
    // Where no room was left, at least not for as much again.
    state.reserve_exact(words.len() + NUMBERS);
    state.extend_from_slice(words.as_bytes());
    state.extend_from_slice(&(words.len() as u64).to_le_bytes());
    let sum = fnv1a(&state);
    state.extend_from_slice(&sum.to_le_bytes());
    state.extend_from_slice(SEAL);
    state
}

/// The state, where it is whole and of this identity: the front of what was sealed.
///
/// # Errors
/// [`CheckpointError`]: not a checkpoint, damaged, of another version, or of another fit, with what differs.
pub fn open<'a>(sealed: &'a [u8], identity: &Identity) -> Result<&'a [u8], CheckpointError> {
    look(sealed, sealed)?;
    let damaged = || CheckpointError::damaged("its checksum is not that of its bytes");
    let body = sealed.strip_suffix(SEAL).ok_or_else(damaged)?;
    let (body, sum) = body.split_last_chunk::<8>().ok_or_else(damaged)?;
    if fnv1a(body) != u64::from_le_bytes(*sum) {
        return Err(damaged());
    }
    let (body, length) = body.split_last_chunk::<8>().ok_or_else(damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok();
    let begins = length.and_then(|length| body.len().checked_sub(length)).ok_or_else(damaged)?;
    let (state, words) = body.split_at(begins);
    let words = str::from_utf8(words).map_err(|_| damaged())?;
    match identity.difference(words) {
        None => Ok(state),
        Some(reason) => Err(CheckpointError::Other { reason }),
    }
}

/// Whether a file can be a checkpoint of this version at all, by its first and its last [`LOOK`] bytes, or by all that it
/// has.
///
/// # Errors
/// [`CheckpointError`], with what was found.
pub fn look(first: &[u8], last: &[u8]) -> Result<(), CheckpointError> {
    if last.ends_with(SEAL) {
        return Ok(());
    }
    let is_earlier = EARLIER_ENDS.iter().any(|end| last.ends_with(end))
        || EARLIER_BEGINNINGS.iter().any(|beginning| first.starts_with(beginning));
    Err(if is_earlier {
        CheckpointError::Earlier { file: None }
    } else if STATES.iter().any(|state| first.starts_with(state)) {
        CheckpointError::damaged("it is cut off, or an earlier version of the lab wrote it")
    } else {
        CheckpointError::NotOne { file: None, found: found(first) }
    })
}

/// What begins so, where it is no checkpoint.
fn found(first: &[u8]) -> String {
    const BYTES: usize = 4;
    if first.is_empty() {
        return "it is empty".to_owned();
    }
    let first = &first[..first.len().min(LOOK)];
    let text = match str::from_utf8(first) {
        Ok(text) => Some(text),
        // Only the last character is cut.
        Err(error) if error.error_len().is_none() => str::from_utf8(&first[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    let is_text = |text: &&str| text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    let Some(text) = text.filter(is_text) else {
        let bytes: Vec<String> = first.iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect();
        return format!("it begins with the bytes {}", bytes.join(" "));
    };
    match text.trim().lines().next() {
        Some(line) => format!("it is text that begins with `{}`", excerpt(line.trim_end(), 0)),
        None => "it is text of blanks alone".to_owned(),
    }
}

#[cfg(test)]
mod tests;
