//! Content by TF-IDF: what the items are like, and what somebody's items are like.

use std::collections::BTreeMap;
use std::sync::Arc;

use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Interactions, Permutation};
use recspeed_types::FitObserver;
use recspeed_types::event::{EventKind, MemoryBytes};
use recspeed_types::spec::ResolvedRecommender;

use super::terms::Terms;
use super::weigh::{weigh, weigh_again};
use super::words::terms_of;
use crate::fit::{FitRequest, Method};
use crate::recommender::model_bytes;
use crate::{BasketItem, FitError, FoldIn, Parts, PartsError, Profiles, Reason, Recommender, TrainSet, Values};

pub(super) const METHOD: Method = Method {
    kind: "content-tfidf",
    fit: |request, observer| Ok(Box::new(ContentTfIdf::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(ContentTfIdf::restore(request.recommender, parts)?)),
};

/// The cosine of an item's terms and the user's profile. An item is the vector of its terms' `tf · idf` with
/// `idf = ln((1 + n) / (1 + df)) + 1`, of length 1; a profile is the sum of the vectors of the user's items, each weighted by
/// its stars, or by how far they lie above or below the mean of the user's own, of length 1.
/// Source: Lops, de Gemmis, Semeraro, "Content-based Recommender Systems: State of the Art and Trends",
/// doi:10.1007/978-0-387-85820-3_3; the idf is scikit-learn's smooth one.
#[derive(Debug)]
struct ContentTfIdf {
    by_user: Arc<Csr>,
    /// Items × terms, rows of length 1 or empty.
    items: Csr,
    /// Terms × items.
    by_term: Csr,
    terms: Terms,
    centred: bool,
    /// Of each item's terms before they were made one of length 1; none of a model that an earlier lab saved.
    lengths: Vec<f64>,
    /// What the items are asked with in place of what they are: [`Recommender::permute`].
    permuted: Option<Asked>,
}

/// Refuses a recommender that could make nobody a profile of these ratings (users × items), itself or in a component.
///
/// # Errors
/// [`FitError::NoProfiles`], with the place of the component.
pub(super) fn check_profiles(recommender: &ResolvedRecommender, by_user: &Csr) -> Result<(), FitError> {
    let kind = METHOD.kind;
    if recommender.entry.kind != kind {
        let mut components = recommender.components().iter().enumerate();
        return components
            .try_for_each(|(index, each)| check_profiles(each, by_user).map_err(|error| error.of_component(index)));
    }
    if by_user.values.iter().all(|rating| *rating == 0.0) {
        let why = "every rating that is learnt from is 0";
        let remedy = "leave the ratings out of the file, so that every row counts as 1, or take `content-linear`, which learns \
                      from who has what";
        return Err(FitError::NoProfiles { kind, why, remedy });
    }
    let own_are_alike = |user: usize| by_user.row(user).1.windows(2).all(|pair| pair[0] == pair[1]);
    if recommender.boolean("centred") && (0..by_user.n_rows()).all(own_are_alike) {
        let why = "nobody gave two different ratings, and each counts by how far it lies from the person's own mean";
        return Err(FitError::NoProfiles { kind, why, remedy: "set recommender.centred = false" });
    }
    Ok(())
}

/// Dimensions of the profiles that a fit to these data will make, and how many of them everybody's profiles have together.
///
/// # Errors
/// Those of the fit where there is nothing to read.
pub(crate) fn size_of_profiles(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> Result<(u64, u64), FitError> {
    let (terms, counts) = terms_of(recommender, data)?;
    // Of each term the last user who was met with it.
    let mut last = vec![None; terms.len()];
    let mut entries = 0;
    for user in 0..data.n_users() {
        let (items, _) = data.by_user.row(user);
        for &term in items.iter().flat_map(|&item| counts.row(item as usize).0) {
            entries += u64::from(last[term as usize].replace(user) != Some(user));
        }
    }
    Ok((terms.len() as u64, entries))
}

/// Items × terms, and terms × items.
#[derive(Debug)]
struct Asked {
    items: Csr,
    by_term: Csr,
}

impl ContentTfIdf {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let (data, recommender) = (request.data, request.recommender);
        let total = data.n_items() as u64;
        if observer.stop_requested() {
            return Err(FitError::Interrupted { done: 0, total, unit: "items" });
        }
        check_profiles(recommender, &data.by_user)?;
        let (terms, counts) = terms_of(recommender, data)?;
        let (items, lengths) = weigh(&counts, terms.len(), recommender.boolean("sublinear"));
        observer.event(EventKind::Progress { done: total, total, unit: "items".to_owned() });
        let by_term = items.transpose(terms.len());
        let (by_user, centred) = (Arc::clone(&data.by_user), recommender.boolean("centred"));
        Ok(Self { by_user, items, by_term, terms, centred, lengths, permuted: None })
    }

    fn restore(recommender: &ResolvedRecommender, mut parts: Parts) -> Result<Self, PartsError> {
        let terms = Terms::take_from(&mut parts)?;
        let items = parts.take_csr("items", terms.len())?;
        let by_user = parts.take_csr("ratings", items.n_rows())?;
        expect_len("items", items.n_rows(), parts.take_count("n_items")?)?;
        let lengths = if parts.has("lengths") { parts.take_doubles("lengths")? } else { Vec::new() };
        if !lengths.is_empty() {
            expect_len("lengths", lengths.len(), items.n_rows())?;
        }
        let by_term = items.transpose(terms.len());
        let (by_user, centred) = (Arc::new(by_user), recommender.boolean("centred"));
        Ok(Self { by_user, items, by_term, terms, centred, lengths, permuted: None })
    }

    /// Weight of each term in somebody's profile, terms ascending.
    fn profile(&self, own: impl Iterator<Item = (u32, f32)> + Clone) -> Vec<(u32, f32)> {
        let (sum, count) = own.clone().fold((0.0f64, 0u32), |(sum, n), (_, rating)| (sum + f64::from(rating), n + 1));
        let level = if self.centred { sum / f64::from(count.max(1)) } else { 0.0 };
        let mut weights: BTreeMap<u32, f64> = BTreeMap::new();
        for (item, rating) in own {
            let (terms, values) = self.items.row(item as usize);
            for (&term, &value) in terms.iter().zip(values) {
                *weights.entry(term).or_default() += (f64::from(rating) - level) * f64::from(value);
            }
        }
        let length = weights.values().map(|weight| weight * weight).sum::<f64>().sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        weights.into_iter().map(|(term, weight)| (term, (weight * scale) as f32)).collect()
    }

    fn score(&self, profile: &[(u32, f32)], scores: &mut [f32]) {
        scores.fill(0.0);
        let by_term = self.permuted.as_ref().map_or(&self.by_term, |asked| &asked.by_term);
        for &(term, weight) in profile {
            let (items, values) = by_term.row(term as usize);
            for (&item, &value) in items.iter().zip(values) {
                scores[item as usize] += weight * value;
            }
        }
    }

    /// What each term adds to an item's score, terms ascending.
    fn shared<'a>(&'a self, profile: &'a [(u32, f32)], item: u32) -> impl Iterator<Item = (u32, f32)> + 'a {
        let items = self.permuted.as_ref().map_or(&self.items, |asked| &asked.items);
        let (terms, values) = items.row(item as usize);
        profile.iter().filter_map(move |&(term, weight)| {
            let at = terms.binary_search(&term).ok()?;
            Some((term, weight * values[at]))
        })
    }

    fn reasons(&self, profile: &[(u32, f32)], item: u32, n: usize) -> Vec<Reason> {
        let mut parts: Vec<(u32, f32)> = self.shared(profile, item).filter(|(_, part)| *part != 0.0).collect();
        parts.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        parts.truncate(n);
        parts.into_iter().map(|(term, part)| self.terms.reason(term, part)).collect()
    }

    fn own(&self, user: u32) -> impl Iterator<Item = (u32, f32)> + Clone + '_ {
        let (items, ratings) = self.by_user.row(user as usize);
        items.iter().copied().zip(ratings.iter().copied())
    }
}

impl Recommender for ContentTfIdf {
    fn n_users(&self) -> usize {
        self.by_user.n_rows()
    }

    fn n_items(&self) -> usize {
        self.items.n_rows()
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        let profile = self.profile(self.own(user));
        self.shared(&profile, item).fold(0.0, |sum, (_, part)| sum + part)
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.score(&self.profile(self.own(user)), scores);
    }

    fn read(&mut self, interactions: &Interactions, known: &[u32], _: &mut dyn FitObserver) -> Result<(), FitError> {
        self.by_user = Arc::new(Csr::by_user(interactions, known));
        Ok(())
    }

    /// The profiles are what was learnt: they stay those of the items as they are.
    fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.permuted = None;
        let Some(permutation) = permutation.filter(|p| p.fits(true, self.lengths.len())) else { return false };
        let Some(is_dealt) = self.terms.of_attribute(permutation.attribute) else { return false };
        let deal = |items: &Csr| permutation.deal(items, |term| is_dealt[term as usize]);
        let items = weigh_again(&self.items, &self.lengths, deal);
        let by_term = items.transpose(self.terms.len());
        self.permuted = Some(Asked { items, by_term });
        true
    }

    fn memory(&self) -> MemoryBytes {
        let bytes = |csr: &Csr| size_of_val(&csr.indptr[..]) + 8 * csr.nnz();
        model_bytes(bytes(&self.items) + bytes(&self.by_term) + self.terms.bytes(), bytes(&self.by_user))
    }

    fn parameters(&self) -> u64 {
        self.items.nnz() as u64
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        Some(self.reasons(&self.profile(self.own(user)), item, n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    fn profiles(&self) -> Option<&dyn Profiles> {
        Some(self)
    }

    /// `items`: items × terms; `ratings`: users × items; `lengths`: of the items' terms; the terms as text.
    fn parts(&self) -> Parts {
        let n_items = Values::U64(vec![self.items.n_rows() as u64]);
        let parts = self.terms.add_to(Parts::default().with("n_items", &[], n_items));
        let parts = parts.with_csr("items", &self.items).with_csr("ratings", &self.by_user);
        if self.lengths.is_empty() {
            return parts;
        }
        parts.with("lengths", &[self.lengths.len()], Values::F64(self.lengths.clone()))
    }
}

impl FoldIn for ContentTfIdf {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        self.score(&self.profile(basket.iter().map(|own| (own.item, own.rating))), scores);
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        self.reasons(&self.profile(basket.iter().map(|own| (own.item, own.rating))), item, n)
    }
}

impl Profiles for ContentTfIdf {
    fn n_features(&self) -> usize {
        self.terms.len()
    }

    fn of_user(&self, user: u32) -> Vec<(u32, f32)> {
        self.profile(self.own(user))
    }

    fn of_basket(&self, basket: &[BasketItem]) -> Vec<(u32, f32)> {
        self.profile(basket.iter().map(|own| (own.item, own.rating)))
    }
}
