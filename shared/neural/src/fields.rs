//! What is known of a user and an item, as fields of features: who they are, and their attributes.

use recspeed_data::parts::{Parts, PartsError, Values};
use recspeed_data::{AttributeValues, Attributes, Csr, Dictionary, Permutation};

use crate::training::rows::LookUp;
use crate::{FitRequest, NeuralFitError};

/// Fields of users and of items. A field gives everybody a bag of features, empty where nothing is known; features of all
/// fields are numbered one after another, so that one table holds a vector for each.
///
/// The first field of each side is the id itself. Then each attribute of words: a token is a bag of one, a sequence of
/// tokens a bag of several. Numbers are put on a scale of mean 0 and standard deviation 1, 0 where they are missing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fields {
    users: Side,
    items: Side,
}

/// The fields of users, or those of items.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Side {
    /// Users or items.
    count: usize,
    /// Feature of the first one's id.
    first: u32,
    /// For each attribute of words: users or items × features of all fields.
    bags: Vec<Csr>,
    /// Numbers of each user or item, one after another: `[count × width]`.
    numbers: Vec<f32>,
    width: usize,
    /// The attribute of each of `bags`, and of each of `numbers`, as far as it is one; none of a network that an earlier lab saved.
    names: Names,
}

/// Attributes of words, and attributes that are numbers.
#[derive(Debug, Clone, PartialEq, Default)]
struct Names {
    bags: Vec<String>,
    numbers: Vec<String>,
}

impl Fields {
    /// The fields of a data set; of the attributes those that `chosen` names, all that can be read where it names none. With `counts` the
    /// numbers begin with the logarithm of how many training ratings the user and the item have.
    ///
    /// # Errors
    /// [`NeuralFitError`] for a name that no attribute has, or only one that is a list of numbers.
    pub(crate) fn of(request: &FitRequest<'_>, chosen: &[String], counts: bool) -> Result<Self, NeuralFitError> {
        let data = request.train.interactions;
        check(request, chosen)?;
        let mut next = (data.n_users() + data.n_items()) as u32;
        let counted = |of_row: &[u32], count: usize| {
            let mut ratings = vec![0.0f32; if counts { count } else { 0 }];
            for &row in request.train.rows.iter().filter(|_| counts) {
                ratings[of_row[row as usize] as usize] += 1.0;
            }
            ratings.into_iter().map(f32::ln_1p).collect::<Vec<f32>>()
        };
        let of_users = counted(&data.user, data.n_users());
        let of_items = counted(&data.item, data.n_items());
        let users = Side::of(request.user_attributes, (&data.users, 0), (chosen, of_users), &mut next);
        let first = data.n_users() as u32;
        let items = Side::of(request.item_attributes, (&data.items, first), (chosen, of_items), &mut next);
        Ok(Self { users, items })
    }

    /// So many users and items of whom only the ids are known, and a number of each.
    #[cfg(test)]
    pub(crate) fn of_ids(users: usize, items: usize) -> Self {
        let side = |count: usize, first: usize| {
            let numbers = (0..count).map(|at| at as f32 / 4.0 - 0.5).collect();
            Side { count, first: first as u32, numbers, width: 1, ..Side::default() }
        };
        Self { users: side(users, 0), items: side(items, users) }
    }

    /// Features of all fields.
    pub(crate) fn features(&self) -> usize {
        let last = self.users.bags.iter().chain(&self.items.bags).flat_map(|bags| &bags.indices).max();
        last.map_or(self.users.count + self.items.count, |&last| {
            (last as usize + 1).max(self.users.count + self.items.count)
        })
    }

    /// Features of each field; they add up to all. A feature that nobody has counts to the next field, or to none.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let ids = [self.users.count, self.items.count];
        let mut end = self.users.count + self.items.count;
        let of_words = self.users.bags.iter().chain(&self.items.bags).map(|bags| {
            let last = bags.indices.iter().max().map_or(end, |&last| end.max(last as usize + 1));
            last - std::mem::replace(&mut end, last)
        });
        ids.into_iter().chain(of_words).collect()
    }

    /// Bags of a pair: the two ids and the attributes of words of both.
    pub(crate) fn len(&self) -> usize {
        2 + self.users.bags.len() + self.items.bags.len()
    }

    /// Numbers of a pair.
    pub(crate) const fn numbers(&self) -> usize {
        self.users.width + self.items.width
    }

    /// What is known of users, and of items: the two halves of every pair.
    pub(crate) const fn halves(&self) -> (&Side, &Side) {
        (&self.users, &self.items)
    }

    /// The bags of each pair, one pair after another; a bag is the mean of its features. `[pairs × len]`
    pub(crate) fn look_up(&self, pairs: &[(u32, u32)]) -> LookUp {
        let mut look_up = LookUp::bags();
        for &(user, item) in pairs {
            self.users.push(user, &mut look_up);
            self.items.push(item, &mut look_up);
        }
        look_up
    }

    /// All features of each pair in one bag, each bag of a field with weight 1. `[pairs]`
    pub(crate) fn look_up_all(&self, pairs: &[(u32, u32)]) -> LookUp {
        let mut look_up = LookUp::bags();
        for &(user, item) in pairs {
            look_up.push_bag(self.users.all_features(user).chain(self.items.all_features(item)));
        }
        look_up
    }

    /// Pairs of a feature of the user and a feature of the item's attributes, in one bag, as hashed into `buckets`. `[pairs]`
    pub(crate) fn look_up_crosses(&self, pairs: &[(u32, u32)], buckets: u32) -> LookUp {
        let mut look_up = LookUp::bags();
        let mut crosses = Vec::new();
        for &(user, item) in pairs {
            crosses.clear();
            for (own, weight) in self.users.all_features(user) {
                let of_item = self.items.features(item);
                crosses.extend(of_item.map(|(feature, other)| (bucket(own, feature, buckets), weight * other)));
            }
            look_up.push_bag(crosses.iter().copied());
        }
        look_up
    }

    /// The sum of a pair's crosses in a table of one number a bucket: what [`Self::look_up_crosses`] would look up.
    pub(crate) fn sum_of_crosses(&self, (user, item): (u32, u32), buckets: u32, table: &[f32]) -> f32 {
        let mut sum = 0.0;
        for (own, weight) in self.users.all_features(user) {
            for (feature, other) in self.items.features(item) {
                sum += weight * other * table[bucket(own, feature, buckets) as usize];
            }
        }
        sum
    }

    /// Numbers of each pair, one pair after another: `[pairs × numbers]`.
    pub(crate) fn numbers_of(&self, pairs: &[(u32, u32)]) -> Vec<f32> {
        let mut numbers = Vec::with_capacity(pairs.len() * self.numbers());
        for &(user, item) in pairs {
            numbers.extend_from_slice(self.users.row(user));
            numbers.extend_from_slice(self.items.row(item));
        }
        numbers
    }

    /// The same fields, with an attribute dealt out anew; `None` where they have no such attribute, or no longer know its name.
    pub(crate) fn permuted(&self, permutation: &Permutation<'_>) -> Option<Self> {
        let side = if permutation.of_items { &self.items } else { &self.users };
        let side = permutation.fits(permutation.of_items, side.count).then(|| side.permuted(permutation))??;
        Some(if permutation.of_items {
            Self { items: side, ..self.clone() }
        } else {
            Self { users: side, ..self.clone() }
        })
    }

    /// As the parts `fields.users…` and `fields.items…`.
    pub(crate) fn add_to(&self, parts: Parts) -> Parts {
        parts.with_model("fields.users", self.users.parts()).with_model("fields.items", self.items.parts())
    }

    /// The inverse of [`Self::add_to`].
    pub(crate) fn take_from(parts: &mut Parts) -> Result<Self, PartsError> {
        let users = Side::restore(parts.take_model("fields.users"), 0)?;
        let items = Side::restore(parts.take_model("fields.items"), users.count as u32)?;
        Ok(Self { users, items })
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        let side = |side: &Side| {
            let bags = side.bags.iter().map(|bags| size_of_val(&bags.indptr[..]) + 8 * bags.nnz()).sum::<usize>();
            bags + size_of_val(&side.numbers[..])
        };
        (side(&self.users) + side(&self.items)) as u64
    }
}

/// Refuses names that stand for nothing that a field could hold: a list of numbers is neither words nor one number.
fn check(request: &FitRequest<'_>, chosen: &[String]) -> Result<(), NeuralFitError> {
    let columns = || request.user_attributes.iter().chain(&request.item_attributes).flat_map(|table| &table.columns);
    let names = |read: bool| {
        let mut names: Vec<&str> = columns()
            .filter(|column| !(read && matches!(column.values, AttributeValues::FloatSeq { .. })))
            .map(|column| column.name.as_str())
            .collect();
        let mut told = std::collections::BTreeSet::new();
        names.retain(|name| told.insert(*name));
        names
    };
    let (known, read) = (names(false), names(true));
    match chosen.iter().find(|name| !read.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) if known.contains(&name.as_str()) => Err(NeuralFitError::AttributeOfNumbers {
            kind: request.recommender.entry.kind,
            name: name.clone(),
            known: read.join(", "),
        }),
        Some(name) => {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(NeuralFitError::NoAttribute { name: name.clone(), known })
        }
    }
}

/// Where a cross of two features lies among `buckets`: two rounds of a 64-bit mixer (Steele, Lea, Flood, 2014).
fn bucket(a: u32, b: u32, buckets: u32) -> u32 {
    let mut mixed = (u64::from(a) << 32 | u64::from(b)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ mixed >> 31) % u64::from(buckets.max(1))) as u32
}

impl Side {
    /// `first`: feature of the first id. `counts`: a number of each user or item, or none. `next`: the first feature that is
    /// free.
    fn of(
        attributes: Option<&Attributes>,
        (ids, first): (&Dictionary, u32),
        (chosen, counts): (&[String], Vec<f32>),
        next: &mut u32,
    ) -> Self {
        let mut side = Self { count: ids.len(), first, ..Self::default() };
        let mut columns = Vec::new();
        if !counts.is_empty() {
            let own: Vec<Option<u32>> = (0..side.count as u32).map(Some).collect();
            columns.push(standardised(&own, &counts));
            side.names.numbers.push(String::new());
        }
        let rows = attributes.map_or_else(|| vec![None; side.count], |attributes| attributes.rows_for(ids));
        let all = attributes.iter().flat_map(|attributes| &attributes.columns);
        for column in all.filter(|c| chosen.is_empty() || chosen.contains(&c.name)) {
            match &column.values {
                AttributeValues::Token { vocabulary, word } => {
                    side.names.bags.push(column.name.clone());
                    side.bags.push(bags(&rows, |row| &word[row..=row], vocabulary, *next));
                    *next += vocabulary.len() as u32;
                }
                AttributeValues::TokenSeq { vocabulary, indptr, words } => {
                    side.names.bags.push(column.name.clone());
                    side.bags.push(bags(&rows, |row| &words[indptr[row]..indptr[row + 1]], vocabulary, *next));
                    *next += vocabulary.len() as u32;
                }
                AttributeValues::Float(values) => {
                    side.names.numbers.push(column.name.clone());
                    columns.push(standardised(&rows, values));
                }
                AttributeValues::FloatSeq { .. } => {}
            }
        }
        side.width = columns.len();
        side.numbers = (0..side.count).flat_map(|at| columns.iter().map(move |column| column[at])).collect();
        side
    }

    fn permuted(&self, permutation: &Permutation<'_>) -> Option<Self> {
        let place = |names: &[String]| names.iter().position(|name| name == permutation.attribute);
        let mut permuted = self.clone();
        match (place(&self.names.bags), place(&self.names.numbers)) {
            (Some(field), _) => permuted.bags[field] = permutation.deal(&self.bags[field], |_| true),
            (None, Some(column)) => {
                for (row, &other) in permuted.numbers.chunks_exact_mut(self.width).zip(permutation.order) {
                    row[column] = self.row(other)[column];
                }
            }
            (None, None) => return None,
        }
        Some(permuted)
    }

    /// Bags of each: the id and the attributes of words.
    pub(crate) fn bags(&self) -> usize {
        1 + self.bags.len()
    }

    /// Numbers of each.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// The bags of each, one user or item after another. `[rows × bags]`
    pub(crate) fn look_up(&self, rows: &[u32]) -> LookUp {
        let mut look_up = LookUp::bags();
        for &row in rows {
            self.push(row, &mut look_up);
        }
        look_up
    }

    /// All features of each in one bag. `[rows]`
    pub(crate) fn look_up_all(&self, rows: &[u32]) -> LookUp {
        let mut look_up = LookUp::bags();
        for &row in rows {
            look_up.push_bag(self.all_features(row));
        }
        look_up
    }

    /// Numbers of each, one user or item after another. `[rows × width]`
    pub(crate) fn numbers_of(&self, rows: &[u32]) -> Vec<f32> {
        rows.iter().flat_map(|&row| self.row(row)).copied().collect()
    }

    fn push(&self, row: u32, look_up: &mut LookUp) {
        look_up.push_bag([(self.first + row, 1.0)]);
        for bags in &self.bags {
            let (features, weights) = bags.row(row as usize);
            look_up.push_bag(features.iter().copied().zip(weights.iter().copied()));
        }
    }

    /// The id and what the attributes say.
    fn all_features(&self, row: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        std::iter::once((self.first + row, 1.0)).chain(self.features(row))
    }

    /// What the attributes say.
    fn features(&self, row: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.bags.iter().flat_map(move |bags| {
            let (features, weights) = bags.row(row as usize);
            features.iter().copied().zip(weights.iter().copied())
        })
    }

    fn row(&self, row: u32) -> &[f32] {
        &self.numbers[row as usize * self.width..][..self.width]
    }

    fn parts(&self) -> Parts {
        let parts = Parts::default().with_count("count", self.count).with_count("bags", self.bags.len());
        let bags = self.bags.iter().enumerate();
        let parts = bags.fold(parts, |parts, (index, bags)| parts.with_csr(&format!("bags{index}"), bags));
        let parts = parts.with("numbers", &[self.count, self.width], Values::F32(self.numbers.clone()));
        let Names { bags, numbers } = &self.names;
        if bags.is_empty() && numbers.is_empty() {
            return parts;
        }
        parts.with_names("names", bags.iter().chain(numbers).map(String::as_str))
    }

    fn restore(mut parts: Parts, first: u32) -> Result<Self, PartsError> {
        let count = parts.take_count("count")?;
        let bags = parts.take_count("bags")?;
        let bags: Result<Vec<Csr>, _> =
            (0..bags).map(|index| parts.take_csr(&format!("bags{index}"), u32::MAX as usize)).collect();
        let bags = bags?;
        let (rows, width, numbers) = parts.take_matrix("numbers")?;
        recspeed_data::parts::expect_len("numbers", rows, count)?;
        for bags in &bags {
            recspeed_data::parts::expect_len("bags", bags.n_rows(), count)?;
        }
        let mut names = Names::default();
        if parts.has("names") {
            names.bags = parts.take_names("names", bags.len() + width)?;
            names.numbers = names.bags.split_off(bags.len());
        }
        Ok(Self { count, first, bags, numbers, width, names })
    }
}

/// The words of each id as features from `first` on, each weighted by its share of the bag. The empty word says nothing.
fn bags<'a>(rows: &[Option<u32>], words_of: impl Fn(usize) -> &'a [u32], vocabulary: &Dictionary, first: u32) -> Csr {
    let mut bags = Csr { indptr: vec![0], ..Csr::default() };
    for row in rows {
        let mut own: Vec<u32> = row.map_or(&[][..], |row| words_of(row as usize)).to_vec();
        own.retain(|&word| !vocabulary.get(word).is_empty());
        own.sort_unstable();
        own.dedup();
        let weight = 1.0 / own.len().max(1) as f32;
        bags.values.extend(own.iter().map(|_| weight));
        bags.indices.extend(own.iter().map(|word| first + word));
        bags.indptr.push(bags.indices.len());
    }
    bags
}

/// A column of numbers on a scale of mean 0 and standard deviation 1.
fn standardised(rows: &[Option<u32>], values: &[f32]) -> Vec<f32> {
    let of_row = |row: &Option<u32>| row.map_or(f32::NAN, |row| values[row as usize]);
    let known: Vec<f64> = rows.iter().map(of_row).filter(|value| value.is_finite()).map(f64::from).collect();
    let count = known.len().max(1) as f64;
    let mean = known.iter().sum::<f64>() / count;
    let deviation = (known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    let scale = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    let scaled = |value: f32| if value.is_finite() { ((f64::from(value) - mean) * scale) as f32 } else { 0.0 };
    rows.iter().map(of_row).map(scaled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides() -> Fields {
        // Two users with one attribute (features 5 and 6), three items with a sequence (7, 8) and a number.
        let user = Csr { indptr: vec![0, 1, 2], indices: vec![5, 6], values: vec![1.0, 1.0] };
        let item = Csr { indptr: vec![0, 2, 2, 3], indices: vec![7, 8, 8], values: vec![0.5, 0.5, 1.0] };
        Fields {
            users: Side { count: 2, first: 0, bags: vec![user], ..Side::default() },
            items: Side {
                count: 3,
                first: 2,
                bags: vec![item],
                numbers: vec![1.0, -1.0, 0.0],
                width: 1,
                ..Side::default()
            },
        }
    }

    #[test]
    fn a_pair_is_the_bags_of_its_two_sides() {
        let fields = sides();
        assert_eq!((fields.len(), fields.features(), fields.numbers()), (4, 9, 1));
        assert_eq!(fields.sizes(), [2, 3, 2, 2]);
        let table: Vec<f32> = (0..9u8).map(f32::from).collect();
        let pairs = [(1, 0), (0, 1)];
        assert_eq!(fields.look_up(&pairs).gather(&table, 1), [1.0, 6.0, 2.0, 7.5, 0.0, 5.0, 3.0, 0.0]);
        assert_eq!(fields.look_up_all(&pairs).gather(&table, 1), [16.5, 8.0]);
        assert_eq!(fields.numbers_of(&pairs), [1.0, -1.0]);
        let crosses = fields.look_up_crosses(&pairs, 100).gather(&[1.0; 100], 1);
        // Two features of the user, each with a bag of weight 1; an item without attributes has no crosses.
        assert_eq!(crosses, [2.0, 0.0]);
        let table: Vec<f32> = (0..100u8).map(f32::from).collect();
        let crosses = fields.look_up_crosses(&pairs, 100).gather(&table, 1);
        assert_eq!(pairs.map(|pair| fields.sum_of_crosses(pair, 100, &table)).to_vec(), crosses);
    }

    #[test]
    fn two_halves_make_a_pair() {
        let fields = sides();
        let (users, items) = fields.halves();
        let table: Vec<f32> = (0..9u8).map(f32::from).collect();
        for pair in [(0, 0), (1, 1), (0, 2)] {
            let both = [users.look_up(&[pair.0]), items.look_up(&[pair.1])].map(|half| half.gather(&table, 1)).concat();
            assert_eq!(fields.look_up(&[pair]).gather(&table, 1), both);
            let sums =
                [users.look_up_all(&[pair.0]), items.look_up_all(&[pair.1])].map(|half| half.gather(&table, 1)[0]);
            assert_eq!(fields.look_up_all(&[pair]).gather(&table, 1), [sums[0] + sums[1]]);
            assert_eq!(fields.numbers_of(&[pair]), [users.numbers_of(&[pair.0]), items.numbers_of(&[pair.1])].concat());
        }
        assert_eq!((users.bags() + items.bags(), users.width() + items.width()), (fields.len(), fields.numbers()));
    }

    #[test]
    fn an_attribute_of_words_and_one_of_numbers_are_dealt_out_anew_by_their_names() {
        let mut fields = sides();
        fields.items.names = Names { bags: vec!["words".into()], numbers: vec!["size".into()] };
        let deal = |fields: &Fields, attribute: &str, order: &[u32]| {
            fields.permuted(&Permutation { of_items: true, attribute, order })
        };
        let sizes = deal(&fields, "size", &[1, 2, 0]).unwrap();
        assert_eq!((sizes.items.numbers.as_slice(), &sizes.items.bags), (&[-1.0, 0.0, 1.0][..], &fields.items.bags));
        let words = deal(&fields, "words", &[1, 2, 0]).unwrap();
        assert_eq!(words.items.bags[0].indptr, [0, 0, 1, 3]);
        assert_eq!((words.features(), &words.users, &words.items.numbers), (9, &fields.users, &fields.items.numbers));
        assert_eq!(deal(&words, "words", &[2, 0, 1]).unwrap(), fields);
        assert!(deal(&fields, "colour", &[1, 2, 0]).is_none() && deal(&sides(), "size", &[1, 2, 0]).is_none());
        let saved = Fields::take_from(&mut fields.add_to(Parts::default())).unwrap();
        assert_eq!(saved, fields, "their names come back too");
    }

    #[test]
    fn fields_come_back_as_they_were() {
        let mut parts = sides().add_to(Parts::default());
        assert_eq!(Fields::take_from(&mut parts), Ok(sides()));
        assert_eq!(parts, Parts::default());
    }

    #[test]
    fn numbers_are_put_on_one_scale_and_missing_ones_in_its_middle() {
        let rows = [Some(0), None, Some(1), Some(2)];
        assert_eq!(standardised(&rows, &[1.0, 3.0, f32::NAN]), [-1.0, 0.0, 1.0, 0.0]);
        assert_eq!(standardised(&rows, &[2.0; 3]), [0.0; 4]);
    }
}
