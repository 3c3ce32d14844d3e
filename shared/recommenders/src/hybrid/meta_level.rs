//! Meta-level: what the component has learnt of each person is what people are compared by.

use std::sync::Arc;

use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Interactions, Permutation};
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::components::{Components, Reader};
use super::composed::Composed;
use crate::fit::{FitRequest, Method, RestoreRequest};
use crate::item_to_item::Weighting;
use crate::ranking::{Best, Scored};
use crate::{BasketItem, FitError, Parts, PartsError, Reason};

pub(super) const METHOD: Method = Method {
    kind: "meta-level",
    fit: |request, observer| Ok(Box::new(MetaLevel::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(MetaLevel::restore(request, parts)?)),
};

/// `s_ui = Σ_v cos(p_u, p_v) · w_vi` over the `k` people `v` with the most similar profiles, similarity above 0, and `w` the
/// rating or 1. Of equal similarities the lower index stays.
/// Source: Pazzani, "A Framework for Collaborative, Content-Based and Demographic Filtering", section 3.4 (collaboration
/// via content), doi:10.1023/A:1006544522159.
struct MetaLevel {
    component: Components,
    /// Users × items: what the people asked give.
    by_user: Arc<Csr>,
    /// Features × users, profiles of length 1: what the people asked were like when they were learnt from.
    by_feature: Csr,
    /// Users × items: what each reader has, where more than that is read.
    read: Option<Csr>,
    neighbours: usize,
    weighting: Weighting,
}

impl MetaLevel {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let component = Components::fit(request, observer)?;
        let by_feature = by_feature(&component);
        Ok(Self::of(request.recommender, component, (Arc::clone(&request.data.by_user), by_feature, None)))
    }

    /// The people asked by what they have and what they are like, and what is read beyond that.
    fn of(
        recommender: &ResolvedRecommender,
        component: Components,
        (by_user, by_feature, read): (Arc<Csr>, Csr, Option<Csr>),
    ) -> Self {
        Self {
            component,
            by_user,
            by_feature,
            read,
            neighbours: recommender.integer("neighbours") as usize,
            weighting: Weighting::named(recommender.text("weighting")),
        }
    }

    fn restore(request: &RestoreRequest<'_>, mut parts: Parts) -> Result<Self, PartsError> {
        let recommender = request.recommender;
        let component = Components::take_from(request, &mut parts)?;
        let (n_users, n_items) = (component.n_users(), component.n_items());
        let by_user = Arc::new(parts.take_csr("ratings", n_items)?);
        expect_len("ratings.indptr", by_user.n_rows(), n_users)?;
        let has_read = parts.iter().any(|(name, _)| name == "read.indptr");
        if !has_read {
            let by_feature = by_feature(&component);
            return Ok(Self::of(recommender, component, (by_user, by_feature, None)));
        }
        let (read, by_feature) = (parts.take_csr("read", n_items)?, parts.take_csr("profiles", n_users)?);
        expect_len("read.indptr", read.n_rows(), n_users)?;
        expect_len("profiles.indptr", by_feature.n_rows(), component.n_features(0))?;
        Ok(Self::of(recommender, component, (by_user, by_feature, Some(read))))
    }

    /// The people asked, the most similar first.
    fn asked(&self, reader: Reader<'_>) -> Vec<Scored> {
        let mut similar = vec![0.0f32; self.by_user.n_rows()];
        for (feature, weight) in unit(self.component.profile(0, reader)) {
            let (users, values) = self.by_feature.row(feature as usize);
            for (&user, &value) in users.iter().zip(values) {
                similar[user as usize] += weight * value;
            }
        }
        let mut best = Best::new(self.neighbours);
        let itself = match reader {
            Reader::Known(user) => Some(user),
            Reader::New(basket) => self.holder(basket),
        };
        for (user, &similarity) in (0..).zip(&similar) {
            if similarity > 0.0 && itself != Some(user) && similarity >= best.threshold() {
                best.offer(similarity, user, user);
            }
        }
        best.take()
    }

    /// The first of those who have exactly this basket: the reader themself, if they are among the known people, and no
    /// neighbour. Whoever else has the same is one, as for a known reader.
    fn holder(&self, basket: &[BasketItem]) -> Option<u32> {
        let mut own: Vec<(u32, f32)> = basket.iter().map(|own| (own.item, own.rating)).collect();
        own.sort_unstable_by_key(|own| own.0);
        let readers = self.read.as_ref().unwrap_or(&self.by_user);
        (0..readers.n_rows() as u32).find(|&user| {
            let (items, ratings) = readers.row(user as usize);
            items.len() == own.len() && items.iter().copied().zip(ratings.iter().copied()).eq(own.iter().copied())
        })
    }

    /// Who of the people asked has the item, and their part, the most similar first.
    fn votes(&self, reader: Reader<'_>, item: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.asked(reader).into_iter().filter_map(move |Scored { score, item: user, .. }| {
            let (items, ratings) = self.by_user.row(user as usize);
            let at = items.binary_search(&item).ok()?;
            Some((user, score * self.weighting.of(ratings[at])))
        })
    }
}

/// What everybody is like, features × users. The profiles are taken twice, to count and to place: so no more is held than the
/// table, which [`crate::memory`] foretells.
fn by_feature(component: &Components) -> Csr {
    let profile = |user: u32| unit(component.profile(0, Reader::Known(user)));
    let users = 0..component.n_users() as u32;
    let mut indptr = vec![0usize; component.n_features(0) + 1];
    for (feature, _) in users.clone().flat_map(profile) {
        indptr[feature as usize + 1] += 1;
    }
    for at in 1..indptr.len() {
        indptr[at] += indptr[at - 1];
    }
    let entries = indptr[indptr.len() - 1];
    let (mut places, mut indices, mut values) = (indptr.clone(), vec![0; entries], vec![0.0; entries]);
    for user in users {
        for (feature, value) in profile(user) {
            let place = &mut places[feature as usize];
            (indices[*place], values[*place]) = (user, value);
            *place += 1;
        }
    }
    Csr { indptr, indices, values }
}

/// A profile at length 1; nothing where there is nothing.
fn unit(profile: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    let squares: f64 = profile.iter().map(|(_, value)| f64::from(*value).powi(2)).sum();
    if squares == 0.0 {
        return Vec::new();
    }
    let factor = 1.0 / squares.sqrt();
    profile.into_iter().map(|(feature, value)| (feature, (f64::from(value) * factor) as f32)).collect()
}

impl Composed for MetaLevel {
    fn components(&self) -> &Components {
        &self.component
    }

    fn components_mut(&mut self) -> &mut Components {
        &mut self.component
    }

    fn score(&self, reader: Reader<'_>, scores: &mut [f32]) {
        scores.fill(0.0);
        for Scored { score, item: user, .. } in self.asked(reader) {
            let (items, ratings) = self.by_user.row(user as usize);
            for (&item, &rating) in items.iter().zip(ratings) {
                scores[item as usize] += score * self.weighting.of(rating);
            }
        }
    }

    fn reasons(&self, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason> {
        let mut votes: Vec<(u32, f32)> = self.votes(reader, item).filter(|(_, part)| *part != 0.0).collect();
        votes.sort_by(|a, b| b.1.total_cmp(&a.1));
        votes.into_iter().take(n).map(|(user, part)| Reason::SimilarUser { user, part }).collect()
    }

    fn predict_one(&self, user: u32, item: u32, _: i64) -> f32 {
        self.votes(Reader::Known(user), item).fold(0.0, |sum, (_, part)| sum + part)
    }

    /// The reader is compared by all that is read of them with what others were like in training, who give what they had then.
    fn keep(&mut self, interactions: &Interactions, known: &[u32]) {
        self.read = Some(Csr::by_user(interactions, known));
    }

    /// None: what the component made of the attributes is folded into the profiles.
    fn permute_components(&mut self, _: Option<&Permutation<'_>>) -> bool {
        false
    }

    fn own_bytes(&self) -> (usize, usize) {
        let bytes = |csr: &Csr| size_of_val(&csr.indptr[..]) + 8 * csr.nnz();
        (0, bytes(&self.by_user) + bytes(&self.by_feature) + self.read.as_ref().map_or(0, bytes))
    }

    /// `ratings`: users × items; of the component's parts the profiles are made again. Where more was read, `read`: users × items, and
    /// `profiles`: features × users, as the component gives others by then.
    fn own_parts(&self) -> Parts {
        let parts = Parts::default().with_csr("ratings", &self.by_user);
        match &self.read {
            Some(read) => parts.with_csr("read", read).with_csr("profiles", &self.by_feature),
            None => parts,
        }
    }
}
