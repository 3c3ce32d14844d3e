//! `strategy.balance`: where the borders between the stages of a model lie.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// What stages are made as equal in as can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BalanceBy {
    /// Learnt numbers.
    #[default]
    Parameters,
    /// Operations of a step, counted at the pace that plans assume.
    Time,
    /// Bytes that a rank holds while it trains.
    Memory,
}

impl BalanceBy {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Parameters, Self::Time, Self::Memory];

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Time => "time",
            Self::Memory => "memory",
        }
    }
}

/// Where the borders between stages lie: a word, or a list with the layers of each stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Balance {
    /// As equal in this as can be.
    By(BalanceBy),
    /// Layers of each stage.
    ByHand(Vec<u32>),
}

impl Default for Balance {
    fn default() -> Self {
        Self::By(BalanceBy::default())
    }
}

impl Balance {
    /// Why it does not place a model's layers on its stages; `None` where it does.
    pub(super) fn misfit(&self, stages: u32, layers: u32) -> Option<String> {
        let Self::ByHand(counts) = self else { return None };
        let placed: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let fits = counts.len() as u32 == stages && placed == u64::from(layers) && !counts.contains(&0);
        let allowed = format!("it takes {stages} numbers above 0 that add up to the model's {layers} layers");
        // Of another number of stages nothing says which of them were meant.
        let near = (counts.len() as u32 == stages).then(|| format!(", as {:?}", nearest(counts, layers)));
        (!fits).then(|| format!("is {counts:?}; {allowed}{}", near.unwrap_or_default()))
    }
}

/// The cut of so many layers, at least as many as there are stages, that differs least from what was asked for: a stage without a layer
/// gets one, and what is then too much or missing is taken from the largest stages or given to the smallest.
fn nearest(counts: &[u32], layers: u32) -> Vec<u32> {
    let placed = |counts: &[u32]| counts.iter().map(|&count| u64::from(count)).sum::<u64>();
    let all = u64::from(layers);
    let some: Vec<u32> = counts.iter().map(|&count| count.clamp(1, layers.max(1))).collect();
    let too_many = placed(&some) > all;
    let levelled = |level: u32| -> Vec<u32> {
        some.iter().map(|&count| if too_many { count.min(level) } else { count.max(level) }).collect()
    };
    let level = (1..=layers).rev().find(|&level| placed(&levelled(level)) <= all).unwrap_or(1);
    let mut near = levelled(level);
    let mut missing = all.saturating_sub(placed(&near));
    for (count, &asked) in near.iter_mut().zip(&some) {
        let may_grow = *count == level && (!too_many || asked > level);
        if missing > 0 && may_grow {
            *count += 1;
            missing -= 1;
        }
    }
    near
}

/// Read by hand: what derived code says of an unknown word names neither the word nor those that are known.
impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrList)
    }
}

struct WordOrList;

impl<'de> Visitor<'de> for WordOrList {
    type Value = Balance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"parameters\", \"time\", \"memory\", or a list with the layers of each stage")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Balance, E> {
        BalanceBy::deserialize(word.into_deserializer()).map(Balance::By)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, counts: A) -> Result<Balance, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(counts)).map(Balance::ByHand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExperimentSpec;

    fn spec(balance: &str) -> Result<ExperimentSpec, String> {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"mlp\"\nhidden = [8, 4, 2]\n\
             [strategy]\nkind = \"pipeline\"\nbalance = {balance}\n"
        );
        ExperimentSpec::from_toml(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_word_and_a_list_are_read_back_as_they_were_written() {
        let words = BalanceBy::ALL.map(|by| (format!("\"{}\"", by.as_str()), Balance::By(by)));
        for (written, expected) in words.into_iter().chain([("[3, 1]".to_owned(), Balance::ByHand(vec![3, 1]))]) {
            let spec = spec(&written).unwrap();
            assert_eq!(spec.strategy.balance.as_ref(), Some(&expected), "{written}");
            let toml = spec.to_toml();
            assert!(toml.contains("balance = "), "{toml}");
            assert_eq!(ExperimentSpec::from_toml(&toml).unwrap(), spec);
            assert_eq!(ExperimentSpec::from_json(&spec.to_json()).unwrap(), spec);
            assert_eq!(spec.resolve().unwrap().strategy.balance, expected);
        }
    }

    #[test]
    fn what_is_left_out_is_balanced_by_parameters() {
        let mut spec = spec("\"time\"").unwrap();
        spec.strategy.balance = None;
        assert_eq!(spec.resolve().unwrap().strategy.balance, Balance::By(BalanceBy::Parameters));
        assert!(!spec.to_toml().contains("balance"));
    }

    #[test]
    fn an_unknown_word_is_refused_with_those_that_are_known() {
        let told = spec("\"tim\"").unwrap_err();
        assert_eq!(told, "strategy.balance: is `tim` (did you mean `time`?); allowed: `parameters`, `time`, `memory`");
        let told = spec("\"layers\"").unwrap_err();
        assert_eq!(told, "strategy.balance: is `layers`; allowed: `parameters`, `time`, `memory`");
    }

    #[test]
    fn what_is_neither_a_word_nor_a_list_of_layers_is_refused() {
        for (written, given) in [("3", "is 3;"), ("true", "is true;"), ("[\"two\", 2]", "is the text \"two\";")] {
            let told = spec(written).unwrap_err();
            assert!(told.starts_with("strategy.balance") && told.contains(given), "{told}");
        }
        let told = spec("3").unwrap_err();
        assert!(told.contains("\"time\"") && told.contains("a list with the layers of each stage"), "{told}");
    }

    #[test]
    fn a_list_that_does_not_place_all_layers_is_refused_with_the_nearest_that_does() {
        for (given, layers, near) in [
            (&[30, 0, 30][..], 61, &[30, 1, 30][..]),
            (&[30, 0, 30], 41, &[20, 1, 20]),
            (&[4, 0], 4, &[3, 1]),
            (&[3, 2], 4, &[2, 2]),
            (&[5, 3, 1], 8, &[4, 3, 1]),
            (&[1, 1], 5, &[3, 2]),
            (&[0, 0, 0], 3, &[1, 1, 1]),
            (&[u32::MAX, u32::MAX], 5, &[3, 2]),
        ] {
            let stages = given.len() as u32;
            let why = Balance::ByHand(given.to_vec()).misfit(stages, layers).unwrap();
            assert!(why.ends_with(&format!("the model's {layers} layers, as {near:?}")), "{why}");
            assert_eq!(Balance::ByHand(near.to_vec()).misfit(stages, layers), None, "{near:?}");
        }
        let other = Balance::ByHand(vec![2, 1, 1]).misfit(2, 4).unwrap();
        assert!(other.ends_with("4 layers"), "for how many stages it was meant is not known: {other}");
    }

    #[test]
    fn a_word_is_for_pipelines_as_a_list_is() {
        let mut spec = spec("\"memory\"").unwrap();
        spec.strategy.kind = crate::spec::StrategyKind::DataParallel;
        let told = spec.resolve().unwrap_err().to_string();
        assert!(told.contains("strategy.balance") && told.contains("the strategy is `data-parallel`"), "{told}");
        let refused = |counts: &[u32]| Balance::ByHand(counts.to_vec()).misfit(2, 4);
        assert_eq!([refused(&[3, 1]), Balance::By(BalanceBy::Time).misfit(2, 4)], [None, None]);
        for counts in [&[4][..], &[3, 2], &[4, 0], &[2, 1, 1]] {
            assert!(refused(counts).is_some_and(|why| why.contains("2 numbers above 0 that add up")), "{counts:?}");
        }
    }
}
