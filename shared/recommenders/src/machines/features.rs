//! What a factorization machine sees of a rating: the features of its user, and the features of its item.
//!
//! A row of the design is the row of its user beside the row of its item. So the design is held as these two blocks, and a
//! million ratings of a thousand people hold a thousand rows of people. Source of the block structure: Rendle, "Scaling
//! Factorization Machines to Relational Data", doi:10.14778/2535573.2535581.

use std::collections::BTreeSet;

use recspeed_data::{AttributeValues, Attributes, Csr, Dictionary, DictionaryBuilder};
use recspeed_types::catalogue::Need;
use recspeed_types::spec::ResolvedRecommender;

use crate::content::{Terms, term, word};
use crate::error::remedy_for;
use crate::memory::machines::Features;
use crate::{FitError, TrainSet};

/// The value that stands for a number in the words of an explanation.
const NUMBER: &str = "number";

/// The features of all users, or of all items. Feature `e` below [`Self::len`] is entity `e` itself, with the value 1; the
/// feature of attribute `a` is `len() + a`.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// Entities × attributes.
    pub(super) attributes: Csr,
    /// Name and value of each attribute.
    pub(super) terms: Terms,
    /// Field of each attribute, from 1; field 0 is the id.
    pub(super) field: Vec<u32>,
    /// Number of fields, the id's included.
    pub(super) n_fields: usize,
    /// Training rows of each entity.
    pub(super) rows: Vec<u32>,
}

/// The features of users and of items.
pub(super) struct Sides {
    pub(super) users: Side,
    pub(super) items: Side,
}

impl Sides {
    /// Ids, and with `side` the attributes that `user_attributes` and `item_attributes` name: all of words and single
    /// numbers where they name none.
    ///
    /// # Errors
    /// [`FitError::NoAttribute`] for a name that the data does not have, [`FitError::Needs`] where it has no attributes.
    pub(super) fn of(data: &TrainSet<'_>, recommender: &ResolvedRecommender) -> Result<Self, FitError> {
        let side = |whose, param, need, ids, rows, known: Option<&Attributes>| {
            let chosen = recommender.names(param);
            if !recommender.boolean("side") {
                return Ok(Side::new(rows));
            }
            match known {
                Some(known) => Side::new(rows)
                    .describe(ids, known, chosen)
                    .map_err(|(name, known)| FitError::NoAttribute { param, name, whose, known }),
                None if chosen.is_empty() => Ok(Side::new(rows)),
                None => Err(FitError::Needs { kind: recommender.entry.kind, need, remedy: remedy_for(need) }),
            }
        };
        let (users, items) = (&data.interactions.users, &data.interactions.items);
        let (of_users, of_items) = (data.user_attributes, data.item_attributes);
        Ok(Self {
            users: side("user", "user_attributes", Need::UserAttributes, users, data.user_counts(), of_users)?,
            items: side("item", "item_attributes", Need::ItemAttributes, items, data.item_counts(), of_items)?,
        })
    }
}

impl Sides {
    /// What they tell of a fit's size.
    pub(super) fn counts(&self, data: &TrainSet<'_>) -> Features {
        let Self { users, items } = self;
        let both = |of: fn(&Side) -> usize| [of(users) as u64, of(items) as u64];
        Features {
            entities: both(Side::len),
            attributes: both(|side| side.field.len()),
            described: (users.attributes.nnz() + items.attributes.nnz()) as u64,
            fields: both(|side| side.n_fields),
            rows: data.rows.len() as u64,
            entries: data.by_user.nnz() as u64,
            threads: rayon::current_num_threads() as u64,
        }
    }
}

impl Side {
    /// Entities that are nothing but themselves.
    pub(super) fn new(rows: Vec<u32>) -> Self {
        let attributes = Csr { indptr: vec![0; rows.len() + 1], ..Csr::default() };
        Self { attributes, terms: Terms::new(Dictionary::default()), field: Vec::new(), n_fields: 1, rows }
    }

    /// With attributes: each value of a token and each word of a text is a feature with the value 1, a number is one
    /// feature, less the mean of the entities with training rows and divided by their standard deviation.
    ///
    /// The error is the name that no such attribute has, and the names there are.
    fn describe(mut self, ids: &Dictionary, known: &Attributes, chosen: &[String]) -> Result<Self, (String, String)> {
        let usable: Vec<_> =
            known.columns.iter().filter(|column| !matches!(column.values, AttributeValues::FloatSeq { .. })).collect();
        if let Some(name) = chosen.iter().find(|name| usable.iter().all(|column| column.name != **name)) {
            let names: Vec<_> = usable.iter().map(|column| column.name.as_str()).collect();
            return Err((name.clone(), if names.is_empty() { "none".to_owned() } else { names.join(", ") }));
        }
        let row_of = known.rows_for(ids);
        let mut terms = DictionaryBuilder::default();
        let mut own: Vec<Vec<(u32, f32)>> = vec![Vec::new(); self.len()];
        for column in usable.into_iter().filter(|column| chosen.is_empty() || chosen.contains(&column.name)) {
            let field = self.n_fields as u32;
            let before = terms.len();
            let described = row_of.iter().enumerate().filter_map(|(entity, row)| Some((entity, (*row)? as usize)));
            match &column.values {
                AttributeValues::Token { vocabulary, word: tokens } => {
                    for (entity, row) in described {
                        let value = vocabulary.get(tokens[row]);
                        if !value.is_empty() {
                            own[entity].push((terms.intern(&term(&column.name, value)), 1.0));
                        }
                    }
                }
                AttributeValues::TokenSeq { vocabulary, indptr, words } => {
                    for (entity, row) in described {
                        let distinct: BTreeSet<u32> = words[indptr[row]..indptr[row + 1]].iter().copied().collect();
                        for used in distinct {
                            own[entity].push((terms.intern(&word(&column.name, vocabulary.get(used))), 1.0));
                        }
                    }
                }
                AttributeValues::Float(values) => {
                    let known: Vec<(usize, f32)> =
                        described.map(|(entity, row)| (entity, values[row])).filter(|(_, x)| x.is_finite()).collect();
                    let Some((mean, deviation)) = self.spread(&known) else { continue };
                    let number = terms.intern(&term(&column.name, NUMBER));
                    for (entity, value) in known {
                        own[entity].push((number, ((f64::from(value) - mean) / deviation) as f32));
                    }
                }
                AttributeValues::FloatSeq { .. } => {}
            }
            if terms.len() > before {
                self.field.resize(terms.len(), field);
                self.n_fields += 1;
            }
        }
        self.attributes = Csr { indptr: vec![0], ..Csr::default() };
        for mut features in own {
            features.sort_unstable_by_key(|(attribute, _)| *attribute);
            self.attributes.indices.extend(features.iter().map(|(attribute, _)| attribute));
            self.attributes.values.extend(features.iter().map(|(_, value)| value));
            self.attributes.indptr.push(self.attributes.indices.len());
        }
        self.terms = Terms::new(terms.finish());
        Ok(self)
    }

    /// Mean and standard deviation over the entities with training rows; `None` where they do not differ.
    fn spread(&self, known: &[(usize, f32)]) -> Option<(f64, f64)> {
        let learnt = || known.iter().filter(|(entity, _)| self.rows[*entity] > 0).map(|(_, value)| f64::from(*value));
        let n = learnt().count() as f64;
        let mean = learnt().sum::<f64>() / n;
        let deviation = (learnt().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        (deviation > 1e-9 * mean.abs()).then_some((mean, deviation))
    }

    /// Number of entities.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Number of features.
    pub(super) fn n_features(&self) -> usize {
        self.len() + self.field.len()
    }

    /// Features of an entity and their values, its own first.
    pub(super) fn features(&self, entity: usize) -> impl Iterator<Item = (usize, f32)> + Clone + '_ {
        let (attributes, values) = self.attributes.row(entity);
        let n = self.len();
        std::iter::once((entity, 1.0)).chain(attributes.iter().zip(values).map(move |(&a, &x)| (n + a as usize, x)))
    }

    /// Training rows that have the feature. `[n_features]`
    pub(super) fn rows_of_features(&self) -> Vec<u64> {
        // At once as long as it becomes: what grows doubles.
        let mut rows = vec![0; self.n_features()];
        rows.iter_mut().zip(&self.rows).for_each(|(all, &own)| *all = u64::from(own));
        for entity in 0..self.len() {
            for &attribute in self.attributes.row(entity).0 {
                rows[self.len() + attribute as usize] += u64::from(self.rows[entity]);
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::AttributeColumn;

    use super::*;

    fn dictionary(ids: &[&str]) -> Dictionary {
        let mut builder = DictionaryBuilder::default();
        for id in ids {
            builder.intern(id);
        }
        builder.finish()
    }

    fn table() -> Attributes {
        let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
        Attributes {
            ids: dictionary(&["a", "b", "c"]),
            columns: vec![
                column(
                    "colour",
                    AttributeValues::Token { vocabulary: dictionary(&["red", "", "blue"]), word: vec![0, 1, 2] },
                ),
                column(
                    "words",
                    AttributeValues::TokenSeq {
                        vocabulary: dictionary(&["x", "y"]),
                        indptr: vec![0, 3, 3, 4],
                        words: vec![1, 0, 1, 1],
                    },
                ),
                column("price", AttributeValues::Float(vec![1.0, 3.0, f32::NAN])),
                column("place", AttributeValues::FloatSeq { indptr: vec![0, 0, 0, 0], values: vec![] }),
            ],
        }
    }

    #[test]
    fn ids_words_and_numbers_become_features_of_fields() {
        let side = Side::new(vec![2, 1, 0, 5]).describe(&dictionary(&["b", "a", "c", "new"]), &table(), &[]).unwrap();
        let named = |entity: usize| {
            let name = |(feature, value): (usize, f32)| match feature.checked_sub(side.len()) {
                None => format!("{feature}={value}"),
                Some(attribute) => {
                    let (name, word) = side.terms.named(attribute as u32);
                    format!("{}:{name}.{word}={value}", side.field[attribute])
                }
            };
            side.features(entity).map(name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(named(0), "0=1 3:price.number=1");
        assert_eq!(named(1), "1=1 1:colour.red=1 2:words.x=1 2:words.y=1 3:price.number=-1");
        assert_eq!(named(2), "2=1 1:colour.blue=1 2:words.y=1");
        assert_eq!(named(3), "3=1");
        assert_eq!((side.n_features(), side.n_fields), (9, 4));
        assert_eq!(side.rows_of_features(), [2, 1, 0, 5, 1, 0, 1, 1, 3]);
    }

    #[test]
    fn a_word_of_a_text_is_shown_without_what_stands_around_it_and_stays_a_feature_of_its_own() {
        let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
        let title = AttributeValues::TokenSeq {
            vocabulary: dictionary(&["Trousers,", "Trousers", "(1993)", "&"]),
            indptr: vec![0, 4],
            words: vec![0, 1, 2, 3],
        };
        let class = AttributeValues::Token { vocabulary: dictionary(&["Gifts (Women)"]), word: vec![0] };
        let known =
            Attributes { ids: dictionary(&["a"]), columns: vec![column("title", title), column("class", class)] };
        let side = Side::new(vec![1]).describe(&dictionary(&["a"]), &known, &[]).unwrap();
        let shown: Vec<&str> = (0..side.terms.len() as u32).map(|term| side.terms.named(term).1).collect();
        assert_eq!(shown, ["Trousers", "Trousers", "1993", "&", "Gifts (Women)"]);
        assert!(matches!(side.terms.reason(0, 1.0), crate::Reason::Attribute { value, .. } if value == "Trousers"));
    }

    #[test]
    fn a_name_that_no_attribute_has_is_refused_with_the_names_there_are() {
        let wrong = Side::new(vec![1]).describe(&dictionary(&["a"]), &table(), &["place".to_owned()]).unwrap_err();
        assert_eq!(wrong, ("place".to_owned(), "colour, words, price".to_owned()));
    }
}
