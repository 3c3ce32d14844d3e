//! `[features]`: what is known of users, items and times besides the ratings, and what of it is used.

use serde::{Deserialize, Serialize};

use super::Problems;
use crate::limits::{MAX_NAME_CHARS, MAX_REPEATS};

/// Names in one list.
const MAX_NAMES: usize = 100;

/// Times that each of `permute` is dealt out anew unless the spec says otherwise.
const DEFAULT_REPEATS: u32 = 5;

/// `[features]` as written. An attribute is named by whose it is: `items.category`, `users.age`; the inputs of a prediction
/// are `user`, `item` and `time`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FeaturesSpec {
    /// Attributes made of the rows that are learnt from, added to those of the data set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derive: Vec<Derived>,
    /// Left out: attributes have no values, `time` is the same for all rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Dealt out anew by the seed: attributes among items or users before anything is learnt, the inputs `user`, `item` and
    /// `time` among the test rows when ratings are predicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shuffle: Vec<String>,
    /// Dealt out anew, one after another, when the fitted model is asked again after its evaluation, learning nothing: the result
    /// says how much quality each costs (permutation importance).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permute: Vec<String>,
    /// How often each of `permute` is; 5 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u32>,
}

/// An attribute made of the rows that are learnt from; its name is that of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Derived {
    /// Rows of the item, in ranges that double.
    ItemCount,
    /// How long before the newest row of all the item had its newest.
    ItemRecency,
    /// The month in which the item has most of its rows.
    ItemSeason,
    /// Rows of the user, in ranges that double.
    UserCount,
    /// How long before the newest row of all the user had their newest.
    UserRecency,
    /// The month in which the user has most of their rows.
    UserSeason,
}

impl Derived {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::ItemCount, Self::ItemRecency, Self::ItemSeason, Self::UserCount, Self::UserRecency, Self::UserSeason];

    /// The name as written in a spec, and of the column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ItemCount => "item-count",
            Self::ItemRecency => "item-recency",
            Self::ItemSeason => "item-season",
            Self::UserCount => "user-count",
            Self::UserRecency => "user-recency",
            Self::UserSeason => "user-season",
        }
    }

    /// Its name among all features, as `items.item-count`.
    pub fn feature_name(self) -> String {
        format!("{}.{}", if self.of_items() { "items" } else { "users" }, self.as_str())
    }

    /// Whether it is one of the items; the others are of the users.
    pub const fn of_items(self) -> bool {
        matches!(self, Self::ItemCount | Self::ItemRecency | Self::ItemSeason)
    }

    /// Whether it is made of times.
    pub const fn needs_times(self) -> bool {
        !matches!(self, Self::ItemCount | Self::UserCount)
    }
}

/// What a name in `drop`, `shuffle` or `permute` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureName<'a> {
    /// The user of a row.
    User,
    /// The item of a row.
    Item,
    /// The time of a row.
    Time,
    /// An attribute of the items.
    Items(&'a str),
    /// An attribute of the users.
    Users(&'a str),
}

impl<'a> FeatureName<'a> {
    /// Reads a name; `None` when it has none of the forms.
    pub fn parse(name: &'a str) -> Option<Self> {
        match name {
            "user" => Some(Self::User),
            "item" => Some(Self::Item),
            "time" => Some(Self::Time),
            _ => match name.split_once('.') {
                Some(("items", column)) if !column.is_empty() => Some(Self::Items(column)),
                Some(("users", column)) if !column.is_empty() => Some(Self::Users(column)),
                _ => None,
            },
        }
    }
}

impl FeaturesSpec {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How often each of `permute` is dealt out anew.
    pub fn repeats(&self) -> u32 {
        self.repeats.unwrap_or(DEFAULT_REPEATS)
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        problems.range("features.repeats", self.repeats(), 1, MAX_REPEATS);
        for (list, names) in [("drop", &self.drop), ("shuffle", &self.shuffle), ("permute", &self.permute)] {
            if names.len() > MAX_NAMES {
                problems.add(format!("features.{list}"), format!("has {} names; allowed: {MAX_NAMES}", names.len()));
            }
            for (index, name) in names.iter().enumerate() {
                let path = format!("features.{list}[{index}]");
                let shown: String = name.chars().take(60).collect();
                match FeatureName::parse(name) {
                    Some(FeatureName::User | FeatureName::Item) if list == "drop" => {
                        problems
                            .add(path, format!("is `{shown}`, without which there is nothing to predict; shuffle it"));
                    }
                    Some(_) if name.chars().count() <= MAX_NAME_CHARS => {}
                    _ => problems.add(
                        path,
                        format!("is `{shown}`; allowed: items.NAME, users.NAME, time, and user or item to shuffle or permute"),
                    ),
                }
            }
        }
        // There would be no values to deal out anew, which was found out after the whole training.
        for (index, name) in self.permute.iter().enumerate().filter(|(_, name)| self.drop.contains(name)) {
            let shown: String = name.chars().take(60).collect();
            problems.add(
                format!("features.permute[{index}]"),
                format!("is `{shown}`, which features.drop takes away; name it in one of the two lists"),
            );
        }
        for (index, derived) in self.derive.iter().enumerate() {
            if self.derive[..index].contains(derived) {
                problems.add(format!("features.derive[{index}]"), format!("repeats `{}`", derived.as_str()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_they_are() {
        assert_eq!(FeatureName::parse("items.release.year"), Some(FeatureName::Items("release.year")));
        assert_eq!(FeatureName::parse("time"), Some(FeatureName::Time));
        assert_eq!((FeatureName::parse("category"), FeatureName::parse("items.")), (None, None));
    }

    #[test]
    fn what_is_dropped_cannot_be_permuted_and_everything_else_can() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let check = |drop: &[&str], permute: &[&str]| {
            let features = FeaturesSpec { drop: names(drop), permute: names(permute), ..FeaturesSpec::default() };
            let mut problems = Problems::default();
            features.check(&mut problems);
            problems.finish().map_err(|errors| errors.to_string())
        };
        check(&["items.brand"], &["items.category", "users.brand", "time"]).unwrap();
        assert_eq!(
            check(&["items.brand", "time"], &["user", "items.brand"]).unwrap_err(),
            "features.permute[1]: is `items.brand`, which features.drop takes away; name it in one of the two lists"
        );
    }

    #[test]
    fn what_cannot_be_left_out_is_refused() {
        let features = FeaturesSpec { drop: vec!["user".into(), "age".into()], ..FeaturesSpec::default() };
        let mut problems = Problems::default();
        features.check(&mut problems);
        let message = problems.finish().unwrap_err().to_string();
        assert!(message.contains("features.drop[0]: is `user`") && message.contains("features.drop[1]: is `age`"));
    }
}
