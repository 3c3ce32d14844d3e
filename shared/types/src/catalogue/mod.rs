//! The catalogue of recommenders: family, parameters with ranges and defaults, what each predicts and needs, its source.
//!
//! Validation, the page's form, the documentation and the contract tests derive from these entries. docs/architecture.md says
//! what adds a recommender beside its entry.

mod baselines;
mod checkpoints;
mod conditions;
mod content;
mod factorization;
mod hybrid;
mod linear;
mod machines;
mod neighbourhood;
mod neural;
mod reading;
#[cfg(feature = "schema")]
pub(crate) mod schema;
mod searched;
mod sequence;
mod slot;
mod training;
mod way;
mod words;

pub use checkpoints::NoCheckpoints;
pub use conditions::{CONDITIONS, Condition, Under};
pub use hybrid::{GOES_WITH, RATED_BY};
pub use reading::{Whose, readers_of, readers_of_times};
pub use slot::{MadeAttribute, Slot, Takes, is_of_a_place};
pub use training::TrainingDefaults;
pub use way::Way;

use crate::spec::{Loss, ParamValue, RecommenderSpec};

/// Every recommender, in the order that lists use.
pub static ENTRIES: &[&Entry] = &[
    &baselines::RANDOM,
    &baselines::GLOBAL_MEAN,
    &baselines::USER_MEAN,
    &baselines::ITEM_MEAN,
    &baselines::BIAS,
    &baselines::POPULARITY,
    &neighbourhood::USER_KNN,
    &neighbourhood::ITEM_KNN,
    &neighbourhood::SLOPE_ONE,
    &factorization::ALS_EXPLICIT,
    &factorization::ALS_IMPLICIT,
    &factorization::BPR,
    &factorization::WARP,
    &factorization::BIASED_MF,
    &factorization::SVDPP,
    &factorization::NMF,
    &linear::EASE,
    &linear::SLIM,
    &content::CONTENT_TFIDF,
    &content::CONTENT_LINEAR,
    &hybrid::WEIGHTED,
    &hybrid::SWITCHING,
    &hybrid::MIXED,
    &hybrid::CASCADE,
    &hybrid::FEATURE_COMBINATION,
    &hybrid::FEATURE_AUGMENTATION,
    &hybrid::META_LEVEL,
    &machines::FM,
    &machines::FFM,
    &machines::FEATURE_EMBEDDINGS,
    &neural::MLP,
    &neural::DENSENET,
    &neural::NEUMF,
    &neural::WIDE_AND_DEEP,
    &neural::DEEPFM,
    &neural::DLRM,
    &neural::AUTOENCODER,
    &sequence::SASREC,
    &sequence::GRU4REC,
    &sequence::CASER,
    &sequence::BERT4REC,
];

/// A recommender, described once for everybody.
#[derive(Debug)]
pub struct Entry {
    /// The name as written in a spec.
    pub kind: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Its family.
    pub family: Family,
    /// What it does, in two sentences.
    pub summary: &'static str,
    /// What happens in a run, as the first half of the page's sentence: it goes on with `, from` and the data.
    pub headline: &'static str,
    /// Where it comes from.
    pub source: Citation,
    /// What it predicts.
    pub predicts: Predicts,
    /// What the data must have beyond ratings.
    pub needs: &'static [Need],
    /// What the seed decides; a method of which it decides nothing is run once, whatever the number of seeds.
    pub seed: Seed,
    /// Whether its answer to a known person is a function of what that person has by then, so that it also reads rows that it did not learn
    /// from, as those of the validation at the test. No hybrid: whether that [reads](crate::spec::ResolvedRecommender::reads_history) its
    /// components say.
    pub reads_history: bool,
    /// Its parameters; the first ones are the ones to try first: a form shows some of them at once, and a search that names none tries
    /// the first five that have something around them.
    pub params: &'static [Param],
    /// The losses it can be trained with, its own first; empty for methods that are not trained step by step.
    pub losses: &'static [Loss],
    /// How it is trained where the spec does not say, if it is trained step by step.
    pub training: Option<TrainingDefaults>,
    /// What a user without training rows gets.
    pub cold_users: &'static str,
    /// What an item without training rows gets.
    pub cold_items: &'static str,
    /// What a person gets who came after the training and shows a basket of items; or why the method has nothing for them without
    /// training again, as what follows a colon.
    pub new_users: Result<&'static str, &'static str>,
    /// How it explains a recommendation, where it can.
    pub explains: Option<&'static str>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The families of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// What every other method must beat.
    Baseline,
    /// Similar users or items.
    Neighbourhood,
    /// Latent factors.
    Factorization,
    /// One linear model over the items.
    Linear,
    /// What the items are like.
    Content,
    /// Several recommenders as one.
    Hybrid,
    /// Factorization machines: interactions of any features.
    FactorizationMachine,
    /// Networks.
    Neural,
}

impl Family {
    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Baseline => "Baselines",
            Self::Neighbourhood => "Neighbourhood",
            Self::Factorization => "Factorization",
            Self::Linear => "Linear",
            Self::Content => "Content-based",
            Self::Hybrid => "Hybrid",
            Self::FactorizationMachine => "Factorization machines",
            Self::Neural => "Neural networks",
        }
    }
}

/// A publication.
#[derive(Debug)]
pub struct Citation {
    /// Authors and year.
    pub authors: &'static str,
    /// Title.
    pub title: &'static str,
    /// DOI, arXiv number or address; empty where there is none.
    pub link: &'static str,
}

/// What a recommender's numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Predicts {
    /// Ratings, in stars; items are ranked by them.
    Ratings,
    /// Scores that only order items.
    Scores,
    /// Ratings, in stars, and scores of their own that order items.
    Both,
    /// The probability that a rating is at least `evaluation.threshold`; items are ranked by it, and errors are measured
    /// against 1 and 0.
    Likes,
    /// As the components of a hybrid: ratings where each of them gives ratings, otherwise scores.
    Components,
    /// As the last component of a hybrid, which answers alone: ratings where that gives ratings, otherwise scores.
    LastComponent,
}

impl Predicts {
    /// The name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ratings => "ratings",
            Self::Scores => "scores",
            Self::Both => "ratings and scores",
            Self::Likes => "probabilities of liking",
            Self::Components => "ratings where every component does, otherwise scores",
            Self::LastComponent => "ratings where the last component does, otherwise scores",
        }
    }

    /// Whether a prediction for each test row can be compared with the truth; of a hybrid, ask what it was [made of](Self::with).
    pub const fn has_ratings(self) -> bool {
        !matches!(self, Self::Scores | Self::Components | Self::LastComponent)
    }

    /// Whether predictions are probabilities.
    pub const fn has_probabilities(self) -> bool {
        matches!(self, Self::Likes)
    }

    /// What a recommender with these components predicts.
    #[must_use]
    pub fn with(self, components: impl IntoIterator<Item = Self>) -> Self {
        let gives_ratings = match self {
            Self::Components => components.into_iter().all(|each| each == Self::Ratings),
            Self::LastComponent => components.into_iter().last() == Some(Self::Ratings),
            own => return own,
        };
        if gives_ratings { Self::Ratings } else { Self::Scores }
    }
}

/// What the seed of a spec decides in a recommender, besides the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seed {
    /// Nothing: the same rows give the same model.
    Nothing,
    /// What it learns.
    Learning,
    /// What its components learn, if it decides that.
    Components,
}

impl Seed {
    /// In words, after “the seed”.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "changes nothing",
            Self::Learning => "changes what it learns",
            Self::Components => "changes what it changes in the components",
        }
    }

    /// As one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Learning => "learning",
            Self::Components => "components",
        }
    }
}

/// What a method needs of the data beyond who rated what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Attributes of the items, `dataset.items`.
    ItemAttributes,
    /// Attributes of the users, `dataset.users`.
    UserAttributes,
    /// When each rating was given.
    Timestamps,
    /// In which order each user's ratings were given: by timestamps of which not all are one, or as sequences.
    Order,
}

impl Need {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ItemAttributes => "item attributes",
            Self::UserAttributes => "user attributes",
            Self::Timestamps => "timestamps",
            Self::Order => "the order of each user's rows",
        }
    }

    /// Kinds to take where the data lack it, of those that do without.
    pub const fn without_it(self) -> &'static [&'static str] {
        match self {
            Self::Order | Self::ItemAttributes => &["item-knn", "als-implicit", "ease"],
            Self::UserAttributes | Self::Timestamps => &[],
        }
    }
}

/// A parameter.
#[derive(Debug)]
pub struct Param {
    /// The name as written in a spec.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// Type, range and default.
    pub kind: ParamKind,
}

/// Type, range and default of a parameter.
#[derive(Debug)]
pub enum ParamKind {
    /// A whole number.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// Default.
        default: i64,
    },
    /// A number.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
        /// Default.
        default: f64,
    },
    /// Yes or no.
    Boolean {
        /// Default.
        default: bool,
    },
    /// One of some names.
    Choice {
        /// The names.
        options: &'static [&'static str],
        /// Default.
        default: &'static str,
    },
    /// Whole numbers; at least one.
    Integers {
        /// Smallest of each.
        min: i64,
        /// Largest of each.
        max: i64,
        /// How many at most.
        max_len: usize,
        /// Default.
        default: &'static [i64],
    },
    /// Names of something in the data, as columns of attributes.
    Names {
        /// How many at most.
        max_len: usize,
        /// Default; an empty list means what the parameter's help says.
        default: &'static [&'static str],
    },
    /// Recommenders, each with its own parameters.
    Recommenders {
        /// How many at least.
        min_len: usize,
        /// How many at most.
        max_len: usize,
        /// Kinds of the default, each with its own defaults.
        default: &'static [&'static str],
        /// What may stand at each place and what is said of it there; the last one holds for all further places.
        slots: &'static [Slot],
    },
}

impl ParamKind {
    /// The allowed values in words.
    pub fn allowed(&self) -> String {
        match self {
            Self::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Float { min, max, .. } => format!("a number from {min} to {max}"),
            Self::Boolean { .. } => "true or false".to_owned(),
            Self::Choice { options, .. } => options.join(", "),
            Self::Integers { min, max, max_len, .. } => {
                format!("a list of 1 to {max_len} whole numbers from {min} to {max}, as [64, 64]")
            }
            Self::Names { max_len, .. } => format!("a list of up to {max_len} names, as [\"category\", \"brand\"]"),
            Self::Recommenders { min_len, max_len, default, slots } => {
                slot::allowed(*min_len, *max_len, default, slots)
            }
        }
    }
}

impl Param {
    /// The value when the spec does not give one.
    pub fn default_value(&self) -> ParamValue {
        match &self.kind {
            ParamKind::Integer { default, .. } => ParamValue::Integer(*default),
            ParamKind::Float { default, .. } => ParamValue::Float(*default),
            ParamKind::Boolean { default } => ParamValue::Boolean(*default),
            ParamKind::Choice { default, .. } => ParamValue::Text((*default).to_owned()),
            ParamKind::Integers { default, .. } => ParamValue::Integers(default.to_vec()),
            ParamKind::Names { default, .. } => {
                ParamValue::Names(default.iter().map(|name| (*name).to_owned()).collect())
            }
            ParamKind::Recommenders { default, .. } => {
                ParamValue::Recommenders(default.iter().map(|kind| RecommenderSpec::new(kind)).collect())
            }
        }
    }
}

impl Entry {
    /// The parameter of this name.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|p| p.name == name)
    }

    /// Whether `[training]` applies.
    pub const fn is_trained(&self) -> bool {
        !self.losses.is_empty()
    }

    /// How it is trained where the spec does not say; of methods that are not, what a form would begin with.
    pub fn training_defaults(&self) -> TrainingDefaults {
        self.training.unwrap_or(TrainingDefaults::PAPER)
    }
}

/// The entry of this kind.
pub fn find(kind: &str) -> Option<&'static Entry> {
    ENTRIES.iter().copied().find(|entry| entry.kind == kind)
}

/// Every kind.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().map(|entry| entry.kind)
}

/// The kind whose name is nearest to a mistyped one, when one is near.
pub fn nearest(kind: &str) -> Option<&'static str> {
    let kind: String = kind.chars().take(64).collect();
    kinds()
        .map(|known| (strsim::damerau_levenshtein(known, &kind), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_parameters_have_one_meaning_each() {
        for (index, entry) in ENTRIES.iter().enumerate() {
            assert!(ENTRIES[..index].iter().all(|other| other.kind != entry.kind), "{} twice", entry.kind);
            let sentences = entry.summary.matches(". ").count() + 1;
            assert_eq!(sentences, 2, "{} is described in {sentences} sentences, not two", entry.kind);
            for (at, param) in entry.params.iter().enumerate() {
                assert_ne!(param.name, "kind", "{}", entry.kind);
                assert!(entry.params[..at].iter().all(|other| other.name != param.name), "{} twice", param.name);
            }
        }
    }

    #[test]
    fn what_has_losses_says_how_it_is_trained_and_nothing_else_does() {
        for entry in ENTRIES {
            assert_eq!(entry.is_trained(), entry.training.is_some(), "{}", entry.kind);
        }
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(nearest("item-kn"), Some("item-knn"));
        assert_eq!(nearest("populrity"), Some("popularity"));
        assert_eq!(nearest("zzzzzzzz"), None);
    }
}
