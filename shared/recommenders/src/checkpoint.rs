//! Whose a checkpoint is, and whether it is whole.
//!
//! What a fit writes of itself says nothing of where it comes from. Behind it stand in words the recommender, its
//! settings, the seed and the sizes, a hash of the rows that it learns from, and a checksum of it all: a fit that went
//! on from the checkpoint of other rows would know some of those that it is tested on.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use recspeed_data::{fnv1a, rows_hash};
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;
use recspeed_types::spec::ResolvedRecommender;

use crate::FitError;
use crate::fit::FitRequest;

/// The end of a checkpoint.
const MAGIC: &[u8; 8] = b"RSOWNER1";
/// Bytes behind the words, little-endian: their length (u64), the checksum of all before (u64), [`MAGIC`].
const NUMBERS: usize = 8 + 8 + MAGIC.len();

/// The kinds of this crate that go through their data again and again.
const KEEPERS: &[&str] =
    &["als-implicit", "als-explicit", "bpr", "warp", "biased-mf", "svd++", "nmf", "fm", "ffm", "feature-embeddings"];

/// What names the rows in the words of a checkpoint.
const ROWS: &str = "hash of the rows";
/// What names the recommender there.
const KIND: &str = "recommender.kind";

/// Whether a fit of this recommender, or of a component of it, can be gone on with from a checkpoint.
pub fn keeps_checkpoints(recommender: &ResolvedRecommender) -> bool {
    recommender.all().iter().any(|part| part.entry.is_trained() || KEEPERS.contains(&part.entry.kind))
}

/// Refuses a checkpoint where there can be none: left aside, it would look as if it had been gone on from. That of a
/// hybrid is asked for by its components.
///
/// # Errors
/// [`FitError::Checkpoint`].
pub(crate) fn refuse_without_any(
    recommender: &ResolvedRecommender,
    observer: &mut dyn FitObserver,
) -> Result<(), FitError> {
    let may_have_one = !recommender.components().is_empty() || keeps_checkpoints(recommender);
    if !may_have_one && observer.take_resume_state().is_some() {
        return Err(wrong(format!("`{}` keeps no checkpoints", recommender.entry.kind)));
    }
    Ok(())
}

/// Listens to a fit for somebody else: its checkpoints say whose they are, and it gets none but its own.
pub(crate) struct Sealed<'a> {
    observer: &'a mut dyn FitObserver,
    request: &'a FitRequest<'a>,
    /// The words, once they are needed: the rows are gone through for them.
    words: OnceCell<String>,
    /// Why the checkpoint that the fit asked for was kept from it.
    refused: Option<FitError>,
}

impl<'a> Sealed<'a> {
    pub(crate) fn new(request: &'a FitRequest<'a>, observer: &'a mut dyn FitObserver) -> Self {
        Self { observer, request, words: OnceCell::new(), refused: None }
    }

    /// Why the fit could not go on, where that was its checkpoint.
    pub(crate) fn refused(self) -> Option<FitError> {
        self.refused
    }
}

impl FitObserver for Sealed<'_> {
    fn event(&mut self, event: EventKind) {
        self.observer.event(event);
    }

    fn stop_requested(&mut self) -> bool {
        self.observer.stop_requested()
    }

    fn memory_left(&self) -> Option<u64> {
        self.observer.memory_left()
    }

    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        let (words, request) = (&self.words, self.request);
        self.observer.checkpoint(step, &mut || seal(state(), words.get_or_init(|| words_of(request))));
    }

    fn keeps_checkpoints(&self) -> bool {
        self.observer.keeps_checkpoints()
    }

    fn wants_checkpoint(&mut self) -> bool {
        self.observer.wants_checkpoint()
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        let sealed = self.observer.take_resume_state()?;
        let opened = open(sealed, self.words.get_or_init(|| words_of(self.request)));
        Some(opened.unwrap_or_else(|error| {
            self.refused = Some(error);
            // What is empty is no state of any fit: it ends, and the error is told in place of its own.
            Vec::new()
        }))
    }
}

/// What a fit depends on, each in a line: a name of the spec, or of the data, and its value.
fn words_of(request: &FitRequest<'_>) -> String {
    let (recommender, data) = (request.recommender, request.data);
    let kind = recommender.entry.kind;
    // Rounds are the same however many follow them, but for a sampler: their number says which of its draws stay.
    let matters = |name: &str| name != "iterations" || kind == "fm";
    let settings = recommender.params().iter().filter(|(name, _)| matters(name));
    let settings = settings.map(|(name, value)| (format!("recommender.{name}"), value.to_string()));
    let hash = rows_hash(data.interactions, data.rows);
    let others = [
        (KIND, format!("\"{kind}\"")),
        ("seed", request.seed.to_string()),
        ("users", data.n_users().to_string()),
        ("items", data.n_items().to_string()),
        ("training rows", data.rows.len().to_string()),
        (ROWS, format!("{hash:016x}")),
    ];
    let others = others.into_iter().map(|(name, value)| (name.to_owned(), value));
    // The names of attributes may hold anything.
    let lines = settings.chain(others).map(|(name, value)| format!("{name} = {}\n", value.replace('\n', " ")));
    lines.collect::<Vec<_>>().concat()
}

/// A state with the words and the checksum behind it, where it lies.
fn seal(mut state: Vec<u8>, words: &str) -> Vec<u8> {
    // Where no room was left, at least not for as much again.
    state.reserve_exact(words.len() + NUMBERS);
    state.extend_from_slice(words.as_bytes());
    state.extend_from_slice(&(words.len() as u64).to_le_bytes());
    let sum = fnv1a(&state);
    state.extend_from_slice(&sum.to_le_bytes());
    state.extend_from_slice(MAGIC);
    state
}

/// The state, where it is whole and has these words.
fn open(mut sealed: Vec<u8>, words: &str) -> Result<Vec<u8>, FitError> {
    let damaged = || wrong("it is damaged: its checksum is not that of its bytes".to_owned());
    let body = sealed.strip_suffix(MAGIC).ok_or_else(|| wrong(foreign(&sealed).to_owned()))?;
    let (body, sum) = body.split_last_chunk::<8>().ok_or_else(damaged)?;
    if fnv1a(body) != u64::from_le_bytes(*sum) {
        return Err(damaged());
    }
    let (body, length) = body.split_last_chunk::<8>().ok_or_else(damaged)?;
    let begins = usize::try_from(u64::from_le_bytes(*length)).ok().and_then(|length| body.len().checked_sub(length));
    let begins = begins.ok_or_else(damaged)?;
    let found = str::from_utf8(&body[begins..]).map_err(|_| damaged())?;
    if let Some(difference) = difference(found, words) {
        return Err(wrong(difference));
    }
    sealed.truncate(begins);
    Ok(sealed)
}

/// What something is that does not end as a checkpoint of a fit.
fn foreign(bytes: &[u8]) -> &'static str {
    if bytes.ends_with(b"RSHYB003") {
        "it is a checkpoint of a hybrid"
    } else if bytes.starts_with(b"recsnn") {
        "it is a checkpoint of a network"
    } else if bytes.starts_with(b"RSFIT") || bytes.starts_with(b"RSALS") {
        "it is cut off or damaged, or an earlier version of the lab wrote it"
    } else {
        "it is no checkpoint of this lab, or it is damaged"
    }
}

/// What tells the fit that wrote a checkpoint from the one that shall go on from it, by the words of both.
fn difference(theirs: &str, ours: &str) -> Option<String> {
    let (theirs, ours) = (by_name(theirs), by_name(ours));
    let value = |value: Option<&&str>| value.map_or_else(|| "nothing".to_owned(), |value| (*value).to_owned());
    let told = |name: &str| format!("{name} = {}, here {}", value(theirs.get(name)), value(ours.get(name)));
    let names: BTreeSet<&str> = theirs.keys().chain(ours.keys()).copied().collect();
    let differing: Vec<&str> = names.into_iter().filter(|name| theirs.get(name) != ours.get(name)).collect();
    match &differing[..] {
        [] => None,
        // Other kinds have other settings: these say nothing beside it.
        all if all.contains(&KIND) => Some(format!("it belongs to another recommender: {}", told(KIND))),
        [ROWS] => Some(
            "it belongs to other data: as many training rows, but other users, items, ratings or times, or in another \
             order"
                .to_owned(),
        ),
        // That these rows are others goes without saying.
        all => {
            let told: Vec<String> = all.iter().filter(|name| **name != ROWS).map(|&name| told(name)).collect();
            Some(format!("it belongs to another spec or other data: {}", told.join("; ")))
        }
    }
}

/// The values by their names.
fn by_name(words: &str) -> BTreeMap<&str, &str> {
    words.lines().filter_map(|line| line.split_once(" = ")).collect()
}

fn wrong(reason: String) -> FitError {
    FitError::Checkpoint { reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORDS: &str = "recommender.factors = 8\nrecommender.kind = \"bpr\"\nseed = 1\nhash of the rows = 00ab\n";

    fn said(words: &str) -> String {
        open(seal(b"state".to_vec(), WORDS), words).unwrap_err().to_string()
    }

    #[test]
    fn a_state_comes_back_from_behind_its_seal() {
        assert_eq!(open(seal(b"state".to_vec(), WORDS), WORDS), Ok(b"state".to_vec()));
        assert_eq!(open(seal(Vec::new(), WORDS), WORDS), Ok(Vec::new()));
    }

    #[test]
    fn what_differs_is_told_by_its_name_in_the_spec() {
        for (from, to, told) in [
            ("seed = 1", "seed = 2", "it belongs to another spec or other data: seed = 1, here 2;"),
            (
                "factors = 8",
                "factors = 9",
                "it belongs to another spec or other data: recommender.factors = 8, here 9;",
            ),
            ("recommender.factors = 8\n", "", "recommender.factors = 8, here nothing;"),
            ("\"bpr\"", "\"warp\"", "it belongs to another recommender: recommender.kind = \"bpr\", here \"warp\";"),
            (
                "00ab",
                "00ac",
                "it belongs to other data: as many training rows, but other users, items, ratings or times",
            ),
        ] {
            let said = said(&WORDS.replace(from, to));
            assert!(said.contains(told), "{from} to {to}: {said}");
        }
        let both = said(&WORDS.replace("= 8", "= 9").replace("= 1", "= 3").replace("00ab", "1"));
        assert!(both.contains("recommender.factors = 8, here 9; seed = 1, here 3;"), "{both}");
        assert!(!both.contains("hash"), "{both}");
    }

    #[test]
    fn what_is_no_checkpoint_of_a_fit_is_called_what_it_is() {
        for (bytes, told) in [
            (&b"user_id:token"[..], "no checkpoint of this lab"),
            (b"", "no checkpoint of this lab"),
            (b"recsnn04 and more", "a checkpoint of a network"),
            (b"something RSHYB003", "a checkpoint of a hybrid"),
            (b"RSFIT002 and more", "an earlier version"),
        ] {
            let said = open(bytes.to_vec(), WORDS).unwrap_err().to_string();
            assert!(said.contains(told), "{said}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_checkpoint_is_refused(at in 0usize..400, flip in 1u8..=255, cut in 0usize..400) {
            let whole = seal(b"the numbers of a fit".to_vec(), WORDS);
            let mut flipped = whole.clone();
            let at = at % flipped.len();
            flipped[at] ^= flip;
            let said = open(flipped, WORDS).unwrap_err().to_string();
            prop_assert!(said.contains("damaged") && said.contains("take another one"), "{}", said);
            prop_assert!(open(whole[..cut % whole.len()].to_vec(), WORDS).is_err());
        }
    }
}
