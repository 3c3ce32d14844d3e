//! Asking a trained model: the question, the answer, and the lines between a server and the worker that answers.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::api::ApiFailure;
use crate::limits::{MAX_BASKET, MAX_ID_BYTES, MAX_K};
use crate::spec::{NoNewUsers, ResolvedRecommender};

/// Places of a list unless the question says otherwise.
pub const DEFAULT_K: u32 = 10;

/// Whom to recommend to, and how much: `POST /api/runs/ID/recommendations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecommendRequest {
    /// Id of a user of the data set; or leave it out and show a basket.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "user")]
    pub user: Option<String>,
    /// What somebody has who came after the training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub basket: Vec<BasketEntry>,
    /// Items wanted, 10 unless set.
    #[serde(default = "default_k")]
    pub k: u32,
    /// Say why, where the method can.
    #[serde(default)]
    pub explain: bool,
    /// Also recommend what the user, or the basket, has already.
    #[serde(default)]
    pub include_seen: bool,
    /// Tell no row of the data set beside the list: neither what the user has, nor in a reason which items those are, which other person
    /// is meant or what is known of the user. The server asks so for guests, where the data set is somebody's file; for a user of it they
    /// may not ask at all, since the list alone shows by what it leaves out which items the user has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withhold_rows: bool,
}

const fn default_k() -> u32 {
    DEFAULT_K
}

/// What to do about a question that cannot be read.
pub const HOW_TO_ASK: &str = "Give `user` or `basket`, each id as text in quotation marks, and `k`.";

fn user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Id>::deserialize(deserializer)?.map(|Id(id)| id))
}

/// An id in JSON. A number is none: 7, 7.0 and 7e0 are one number, and at most one of them an id.
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = Id;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"an id as text, as "ID""#)
            }
            fn visit_str<E: de::Error>(self, id: &str) -> Result<Id, E> {
                Ok(Id(id.to_owned()))
            }
        }
        deserializer.deserialize_str(IdVisitor)
    }
}

/// An item that somebody has. An id alone is read as one, too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BasketEntry {
    /// Its id.
    pub item: String,
    /// What they think of it, in the data set's own unit; liked unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<f32>,
}

impl<'de> Deserialize<'de> for BasketEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            item: Id,
            #[serde(default)]
            rating: Option<f32>,
        }
        struct EntryVisitor;
        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = BasketEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"an item of a basket as "ID", {"item": "ID"} or {"item": "ID", "rating": 4}"#)
            }
            // As it is: an id may hold colons itself, and a rating has a place of its own here.
            fn visit_str<E: de::Error>(self, item: &str) -> Result<BasketEntry, E> {
                Ok(BasketEntry { item: item.to_owned(), rating: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BasketEntry, A::Error> {
                let Fields { item: Id(item), rating } = Fields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(BasketEntry { item, rating })
            }
        }
        deserializer.deserialize_any(EntryVisitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for BasketEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BasketEntry".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An item that somebody has: its id, or an object with the id and a rating.",
            "anyOf": [
                { "type": "string", "description": "Its id." },
                {
                    "type": "object",
                    "properties": {
                        "item": { "type": "string", "description": "Its id." },
                        "rating": {
                            "type": ["number", "null"],
                            "format": "float",
                            "description": "What they think of it, in the data set's own unit; liked unless said."
                        }
                    },
                    "required": ["item"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

impl BasketEntry {
    /// `ITEM` or `ITEM:RATING`; an id may hold colons itself.
    pub fn parse(text: &str) -> Self {
        let rated = text.rsplit_once(':').and_then(|(item, rating)| Some((item, rating.trim().parse::<f32>().ok()?)));
        match rated {
            Some((item, rating)) => Self { item: item.trim().to_owned(), rating: Some(rating) },
            None => Self { item: text.trim().to_owned(), rating: None },
        }
    }

    /// What stands between commas, each as [`Self::parse`] reads it; between two commas with nothing between them there is no item.
    ///
    /// # Errors
    /// A failure where no item is named at all.
    pub fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, ApiFailure> {
        let named = texts.into_iter().filter(|text| !text.trim().is_empty());
        let basket: Vec<Self> = named.map(Self::parse).collect();
        if basket.is_empty() { Err(no_item()) } else { Ok(basket) }
    }
}

/// A basket is given, and nothing is in it.
fn no_item() -> ApiFailure {
    let remedy = "Name at least one item that somebody has.".to_owned();
    failure("invalid-request", "The basket names no item.".to_owned(), Some(remedy))
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recommendations {
    /// The items, best first; fewer than asked where there are no more.
    pub items: Vec<Recommended>,
    /// What the scores are: `stars`, `score` or `probability`.
    pub unit: ScoreUnit,
    /// Items in front of those of which the model knows nothing: they tie at the score 0, in the order of their ids. Absent where
    /// there are no such items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ties_from: Option<u64>,
    /// Items left out because the user, or the basket, has them.
    pub left_out: u64,
    /// Some of what the user had before the test; where reasons were asked for, and of a user alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<Owned>,
    /// Whether reasons were asked for and rows of the data set were not told with them: see [`RecommendRequest::withhold_rows`]. Then
    /// `has` is empty, and reasons speak of own items and of other people without naming them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
    /// What must be known to understand the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a reader is told between the items of which a model knows something and those that [`Recommendations::ties_from`] counts
/// from.
pub const NOTHING_KNOWN: &str = "Nothing is known from here on: ties at score 0, in the order of their ids.";

/// What a reader is told where an answer has [`Recommendations::withheld`].
pub const ROWS_WITHHELD: &str = "The data set is a file of the lab's owner: which items its users have, and what is known of \
     them, is not shown to guests.";

/// What a reader is told where a model has [`ModelInfo::users_withheld`].
pub const USERS_WITHHELD: &str = "The data set is a file of the lab's owner: guests ask for a basket of items and not for its users, since \
     what is recommended to a user tells which items the user has.";

/// What a reason has in the place of a row of the data set that is not told.
pub const NOT_FOR_GUESTS: &str = "(not shown to guests)";

/// See [`Recommendations::ties_from`]. A predicted rating or a probability of 0 says something; a score of 0 is the absence of any
/// evidence, where nothing scores less.
pub fn ties_from(items: &[Recommended], unit: ScoreUnit) -> Option<u64> {
    let known = items.iter().rposition(|item| item.score != 0.0).map_or(0, |last| last + 1);
    (unit == ScoreUnit::Score && known < items.len()).then_some(known as u64)
}

/// An item that a user has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Owned {
    /// Its id.
    pub item: String,
    /// What it is called, where the data set says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A recommended item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recommended {
    /// Its id.
    pub item: String,
    /// What it is called, where the data set says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it was ranked by.
    pub score: f32,
    /// Why, in words, the weightiest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What the scores of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScoreUnit {
    /// Predicted ratings.
    Stars,
    /// Numbers that only order the items.
    Score,
    /// Probabilities of liking the item.
    Probability,
}

/// Kinds that say why and did not in earlier versions of the lab: models that those kept do not.
pub const SAY_WHY_SINCE: [&str; 2] = ["als-explicit", "svd++"];

/// What a model is, as far as somebody needs to know who asks it: `GET /api/runs/ID/model`, and of the last run in a tab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelInfo {
    /// Bytes on disk; of a model in a tab, in its memory.
    pub bytes: u64,
    /// Some user ids of the data set; none where they are withheld.
    pub users: Vec<String>,
    /// Whether the users of the data set are not told, and not asked for: it is somebody's file, and a guest asks. A basket may be shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub users_withheld: bool,
    /// Some item ids of the data set.
    pub items: Vec<String>,
    /// Whether it recommends to people who came after the training.
    pub new_users: bool,
    /// Why it does not, and what would; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_new_users: Option<String>,
    /// Whether it can say why.
    pub explains: bool,
}

/// What a model answered when its run was recorded: it is read where the model itself is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedAnswers {
    /// The model.
    pub model: ModelInfo,
    /// The answers, one a user.
    pub answers: Vec<RecordedAnswer>,
}

/// One of [`RecordedAnswers`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedAnswer {
    /// Whom the question was about.
    pub user: String,
    /// The answer.
    pub answer: Recommendations,
}

/// One line from the worker that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecommendReply {
    /// The model is in memory; the first line.
    Ready,
    /// An answer.
    Answer(Recommendations),
    /// Why there is none.
    Failure(ApiFailure),
}

impl RecommendRequest {
    /// What can be checked without the model.
    ///
    /// # Errors
    /// A failure that names the field.
    pub fn check(&self) -> Result<(), ApiFailure> {
        let invalid = |message: String, remedy: &str| Err(failure("invalid-request", message, Some(remedy.to_owned())));
        if self.user.is_some() != self.basket.is_empty() {
            let given = if self.user.is_some() {
                "both a user and a basket are given"
            } else {
                "neither a user nor a basket is given"
            };
            return invalid(
                format!("Whom to recommend to is unclear: {given}."),
                "Give the id of a user (`user`, --user) or a basket of items (`basket`, --basket).",
            );
        }
        if !(1..=MAX_K).contains(&self.k) {
            let remedy = if self.k == 0 { "Ask for at least one item." } else { "Ask for fewer items." };
            return invalid(format!("k is {}; allowed: 1 to {MAX_K}.", self.k), remedy);
        }
        if self.basket.len() > MAX_BASKET {
            let message = format!("The basket has {} items; allowed: up to {MAX_BASKET}.", self.basket.len());
            return invalid(message, "Show fewer items.");
        }
        if self.user.as_ref().is_some_and(String::is_empty) {
            return invalid("The id of the user is empty.".to_owned(), "Give the id of a user of the data set.");
        }
        let unnamed = self.basket.iter().filter(|entry| entry.item.is_empty()).count();
        if unnamed > 0 && unnamed == self.basket.len() {
            return Err(no_item());
        }
        if unnamed > 0 {
            return invalid("An item of the basket has no id.".to_owned(), "Give its id, or leave it out.");
        }
        let mut ids = self.user.iter().chain(self.basket.iter().map(|entry| &entry.item));
        if let Some(id) = ids.find(|id| id.len() > MAX_ID_BYTES) {
            return invalid(
                format!("An id has {} bytes; allowed: up to {MAX_ID_BYTES}.", id.len()),
                "Give an id of the data set.",
            );
        }
        match self.basket.iter().find(|entry| entry.rating.is_some_and(|rating| !rating.is_finite())) {
            Some(entry) => {
                let what = if entry.rating.is_some_and(f32::is_nan) {
                    "no number".to_owned()
                } else {
                    // What it was written as is lost: 1e300 is as infinite here as `inf`.
                    format!("beyond ±{:.1e}, far outside the scale of any training", f32::MAX)
                };
                invalid(format!("The rating of `{}` is {what}.", entry.item), "Correct it, or leave it out.")
            }
            None => Ok(()),
        }
    }

    /// Different items in the basket.
    pub fn basket_items(&self) -> usize {
        self.basket.iter().map(|entry| entry.item.as_str()).collect::<BTreeSet<_>>().len()
    }
}

/// Why a model of this recommender has nothing for people who came after its training. Where it would serve them if it were fitted
/// now, an earlier version of the lab kept it.
pub fn no_new_users(recommender: &ResolvedRecommender) -> ApiFailure {
    let NoNewUsers { cause, remedy } = recommender.no_new_users().unwrap_or_else(|| NoNewUsers {
        cause: format!(
            "This model of {} was kept by an earlier version of the lab and cannot recommend to people who came after its \
             training.",
            recommender.entry.title
        ),
        remedy: "Train it again, or ask for a user of the data set.".to_owned(),
    });
    failure("no-new-users", cause, Some(remedy))
}

/// A failure of this exchange.
pub fn failure(code: &str, message: String, remedy: Option<String>) -> ApiFailure {
    ApiFailure { code: code.to_owned(), message, remedy, errors: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RecommendRequest {
        RecommendRequest {
            user: Some("u".to_owned()),
            basket: Vec::new(),
            k: 10,
            explain: false,
            include_seen: false,
            withhold_rows: false,
        }
    }

    #[test]
    fn a_basket_is_items_each_with_a_rating_where_there_is_one() {
        let entry = |item: &str, rating| BasketEntry { item: item.to_owned(), rating };
        assert_eq!(BasketEntry::parse(" B00 : 4.5"), entry("B00", Some(4.5)));
        assert_eq!(BasketEntry::parse("B00"), entry("B00", None));
        assert_eq!(BasketEntry::parse("isbn:1:x"), entry("isbn:1:x", None));
        let basket = ["50", "50:4", "7"].map(BasketEntry::parse).to_vec();
        assert_eq!(RecommendRequest { user: None, basket, ..request() }.basket_items(), 2);
    }

    #[test]
    fn an_item_of_a_basket_is_read_from_its_id_alone_or_from_fields() {
        let entry = |item: &str, rating| BasketEntry { item: item.to_owned(), rating };
        let read = |text: &str| serde_json::from_str::<RecommendRequest>(text).map(|request| request.basket);
        let basket = read(r#"{"basket": ["50", "isbn:1", {"item": "7"}, {"item": "9", "rating": 4}]}"#).unwrap();
        assert_eq!(basket, [entry("50", None), entry("isbn:1", None), entry("7", None), entry("9", Some(4.0))]);
        let written = serde_json::to_string(&basket).unwrap();
        assert_eq!(serde_json::from_str::<Vec<BasketEntry>>(&written).unwrap(), basket);
        for (wrong, words) in [
            (r#"{"basket": [50]}"#, r#"expected an item of a basket as "ID", {"item": "ID"} or {"#),
            (r#"{"basket": [{"item": "7", "stars": 4}]}"#, "unknown field `stars`"),
            (r#"{"basket": [{"rating": 4}]}"#, "missing field `item`"),
        ] {
            let message = read(wrong).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn an_id_that_is_written_as_a_number_is_told_with_the_number_and_how_to_write_it() {
        let read = |text: &str| serde_json::from_str::<RecommendRequest>(text);
        for (wrong, number) in [
            (r#"{"user": 196}"#, "integer `196`"),
            (r#"{"user": 1.5}"#, "floating point `1.5`"),
            (r#"{"basket": [{"item": 7}]}"#, "integer `7`"),
        ] {
            let message = read(wrong).unwrap_err().to_string();
            assert!(message.contains(&format!("{number}, expected an id as text, as \"ID\"")), "{message}");
        }
        let of_user = |text: &str| read(text).unwrap().user;
        assert_eq!(of_user(r#"{"user": "196"}"#).as_deref(), Some("196"));
        assert_eq!(of_user(r#"{"user": "a\"b"}"#).as_deref(), Some("a\"b"));
        assert_eq!((of_user(r#"{"user": null}"#), of_user("{}")), (None, None));
    }

    #[test]
    fn a_basket_of_nothing_but_commas_asks_for_an_item_and_commas_too_many_do_no_harm() {
        let list = |text: &'static str| BasketEntry::list(text.split(','));
        assert_eq!(list("a,, b:4,"), Ok(["a", "b:4"].map(BasketEntry::parse).to_vec()));
        for nothing in ["", ",", " , "] {
            let failure = list(nothing).unwrap_err();
            assert_eq!(failure.message, "The basket names no item.", "{nothing:?}");
            assert_eq!(failure.remedy.as_deref(), Some("Name at least one item that somebody has."));
        }
    }

    #[test]
    fn only_scores_of_zero_at_the_end_of_a_list_are_the_absence_of_evidence() {
        let item = |score| Recommended { item: "i".to_owned(), title: None, score, reasons: Vec::new() };
        let items = |scores: &[f32]| scores.iter().copied().map(item).collect::<Vec<_>>();
        assert_eq!(ties_from(&items(&[0.5, 0.1, 0.0, 0.0]), ScoreUnit::Score), Some(2));
        assert_eq!(ties_from(&items(&[0.0]), ScoreUnit::Score), Some(0));
        for told in [&[0.5, 0.1][..], &[0.5, 0.0, -0.1], &[]] {
            assert_eq!(ties_from(&items(told), ScoreUnit::Score), None, "{told:?}");
        }
        assert_eq!(ties_from(&items(&[0.5, 0.0]), ScoreUnit::Stars), None);
    }

    #[test]
    fn what_cannot_be_answered_is_told_before_a_model_is_asked() {
        let item = |rating| BasketEntry { item: "i".to_owned(), rating };
        assert_eq!(request().check(), Ok(()));
        assert_eq!(RecommendRequest { user: None, basket: vec![item(Some(4.0))], ..request() }.check(), Ok(()));
        for (wrong, words) in [
            (RecommendRequest { user: None, ..request() }, "neither a user nor a basket"),
            (RecommendRequest { basket: vec![item(None)], ..request() }, "both a user and a basket"),
            (RecommendRequest { k: 0, ..request() }, "k is 0; allowed: 1 to 1000."),
            (RecommendRequest { user: Some(String::new()), ..request() }, "The id of the user is empty."),
            (
                RecommendRequest { user: Some("u".repeat(1025)), ..request() },
                "An id has 1025 bytes; allowed: up to 1024.",
            ),
            (RecommendRequest { user: None, basket: vec![BasketEntry::parse(":4")], ..request() }, "names no item."),
            (
                RecommendRequest { user: None, basket: ["a", ""].map(BasketEntry::parse).to_vec(), ..request() },
                "An item of the basket has no id.",
            ),
            (
                RecommendRequest { user: None, basket: vec![item(Some(f32::NAN))], ..request() },
                "The rating of `i` is no number.",
            ),
            (
                RecommendRequest { user: None, basket: vec![BasketEntry::parse("50:1e300")], ..request() },
                "The rating of `50` is beyond ±3.4e38, far outside the scale of any training.",
            ),
            (RecommendRequest { user: None, basket: vec![item(None); MAX_BASKET + 1], ..request() }, "up to 1000"),
        ] {
            let failure = wrong.check().unwrap_err();
            assert!(failure.message.contains(words) && failure.remedy.is_some(), "{failure:?}");
        }
    }
}
