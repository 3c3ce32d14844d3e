//! The places of a hybrid's components.

use super::{ENTRIES, Entry, Need, Param, ParamKind, Whose};

/// A place among the components of a hybrid: what may stand there, and what is said of it besides its own parameters.
#[derive(Debug)]
pub struct Slot {
    /// Parameters of the place, as a weight; a component writes them among its own.
    pub params: &'static [Param],
    /// What may stand there.
    pub takes: Takes,
    /// What the hybrid makes for whatever stands there, so that the data need not have it.
    pub gives: &'static [Need],
    /// The attribute of the items that it makes for it.
    pub adds: Option<MadeAttribute>,
}

/// An attribute of the items that a hybrid makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeAttribute {
    /// Its name.
    pub name: &'static str,
    /// What it holds, for somebody who left it out.
    pub holds: &'static str,
}

/// What may stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Any recommender.
    Any,
    /// One that serves people who came after the training.
    NewUsers,
    /// One that reads attributes of the items, and so one that a hybrid makes.
    ItemAttributes,
    /// One of these kinds.
    Kinds(&'static [&'static str]),
}

impl Takes {
    /// Whether an entry with its default parameters may stand there.
    pub fn allows(self, entry: &Entry) -> bool {
        match self {
            Self::Any => true,
            Self::NewUsers => entry.new_users.is_ok(),
            Self::ItemAttributes => entry.attribute_list(Whose::Items).is_some(),
            Self::Kinds(kinds) => kinds.contains(&entry.kind),
        }
    }

    /// The allowed kinds.
    pub fn kinds(self) -> impl Iterator<Item = &'static str> {
        ENTRIES.iter().copied().filter(move |entry| self.allows(entry)).map(|entry| entry.kind)
    }

    /// The same in words.
    pub fn listed(self) -> String {
        self.kinds().collect::<Vec<_>>().join(", ")
    }
}

impl ParamKind {
    /// The place of the component at `index`, from 0; `None` for parameters that take no recommenders.
    pub fn slot(&self, index: usize) -> Option<&'static Slot> {
        match self {
            Self::Recommenders { slots, .. } => slots.get(index).or(slots.last()),
            _ => None,
        }
    }
}

/// The allowed lists in words.
pub(super) fn allowed(min_len: usize, max_len: usize, default: &[&str], slots: &[Slot]) -> String {
    let size = if min_len == max_len { format!("{min_len}") } else { format!("{min_len} to {max_len}") };
    let first = default.first().unwrap_or(&"popularity");
    let example = if slots.iter().all(|slot| slot.takes == Takes::Any) { "popularity" } else { first };
    let at_place = |(index, slot): (usize, &Slot)| {
        let place = if slots.len() == 1 { String::new() } else { format!(" at place {index}") };
        match slot.takes {
            Takes::Any => String::new(),
            Takes::NewUsers => format!(";{place} one that serves new users"),
            Takes::ItemAttributes => format!(";{place} one that reads item attributes ({})", slot.takes.listed()),
            Takes::Kinds(_) => format!(";{place} one of {}", slot.takes.listed()),
        }
    };
    let places: String = slots.iter().enumerate().map(at_place).collect();
    format!("a list of {size} recommenders, as [{{ kind = \"{example}\" }}]{places}")
}

/// Whether some place of some hybrid has a parameter of this name: it belongs to the place, whatever stands there.
pub fn is_of_a_place(name: &str) -> bool {
    let mut slots = ENTRIES.iter().flat_map(|entry| entry.params).flat_map(|param| match &param.kind {
        ParamKind::Recommenders { slots, .. } => *slots,
        _ => &[],
    });
    slots.any(|slot| slot.params.iter().any(|param| param.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_never_takes_a_name_from_the_recommender_that_stands_there() {
        for entry in ENTRIES {
            for param in entry.params {
                assert!(!is_of_a_place(param.name), "{}.{} is a parameter of a place too", entry.kind, param.name);
            }
        }
    }

    #[test]
    fn default_components_may_stand_where_they_stand() {
        for entry in ENTRIES {
            for param in entry.params {
                let ParamKind::Recommenders { min_len, max_len, default, slots } = &param.kind else { continue };
                assert!(!slots.is_empty(), "{}.{}", entry.kind, param.name);
                assert!((min_len..=max_len).contains(&&default.len()), "{}.{}", entry.kind, param.name);
                for (index, kind) in default.iter().enumerate() {
                    let takes = param.kind.slot(index).unwrap().takes;
                    assert!(takes.kinds().any(|allowed| allowed == *kind), "{}: {kind} at place {index}", entry.kind);
                }
            }
        }
    }
}
