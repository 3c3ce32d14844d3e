//! A trained model that answers: the best items of a known user, or of a basket.

use std::collections::BTreeMap;

use recspeed_data::{Csr, Dictionary};
use recspeed_recommenders::{BasketItem, RankError, RankRequest, Reason, ranking};
use recspeed_types::Unobserved;
use recspeed_types::api::ApiFailure;
use recspeed_types::catalogue::{Entry, Predicts};
use recspeed_types::recommend::{
    BasketEntry, HOW_TO_ASK, ModelInfo, Owned, RecommendReply, RecommendRequest, Recommendations, Recommended,
    SAY_WHY_SINCE, ScoreUnit, failure, no_new_users, ties_from,
};
use recspeed_types::spec::{ResolvedRecommender, ResolvedSpec};

use crate::Model;
use crate::asked::Asked;
use crate::audience::is_candidate;
use crate::near::near;
use crate::reasons::{Names, Whose, in_words};

/// Reasons of one item.
const REASONS: usize = 3;
/// A rating so many times that of a liked item is on no scale that the training knew.
const BEYOND_SCALE: f32 = 100.0;
/// Ids that are shown as examples.
const EXAMPLES: usize = 5;
/// Items of a user that are named beside the list.
const OWNED: usize = 5;

/// A trained model with what it needs to answer.
pub struct Answering {
    model: Model,
    recommender: ResolvedRecommender,
    asked: Asked,
    candidates: Vec<bool>,
    tie_ranks: Vec<u32>,
}

impl Answering {
    /// Puts a model and its ids together.
    ///
    /// # Errors
    /// A sentence where they do not belong together.
    pub fn new(model: Model, spec: &ResolvedSpec, asked: Asked) -> Result<Self, String> {
        let recommender = model.as_recommender();
        for (what, of_model, of_ids) in [
            ("users", recommender.n_users(), asked.users.len()),
            ("items", recommender.n_items(), asked.items.len()),
            ("users with what they know", asked.known.n_rows(), asked.users.len()),
        ] {
            if of_model != of_ids {
                return Err(format!("the model has {of_model} {what} and {of_ids} ids of them"));
            }
        }
        let mut known = vec![false; asked.items.len()];
        for &item in &asked.known.indices {
            if let Some(known) = known.get_mut(item as usize) {
                *known = true;
            }
        }
        let candidates = known.into_iter().map(|known| is_candidate(spec.evaluation.candidates, known)).collect();
        let tie_ranks = asked.items.tie_ranks();
        Ok(Self { recommender: spec.recommender.clone(), model, asked, candidates, tie_ranks })
    }

    /// What somebody needs to know who asks it. `named`: ids of users at most; the first few who had something before the test, as a
    /// saved model names them, then others spread evenly over all of these.
    pub fn info(&self, named: usize) -> ModelInfo {
        let Asked { users, items, known, .. } = &self.asked;
        let having: Vec<u32> = (0..users.len() as u32).filter(|&user| !known.row(user as usize).0.is_empty()).collect();
        let (first, others) = having.split_at(having.len().min(EXAMPLES));
        let step = others.len().div_ceil(named.saturating_sub(first.len()).max(1)).max(1);
        let spread = first.iter().chain(others.iter().step_by(step)).take(named);
        let mut had: Vec<u32> = Vec::with_capacity(EXAMPLES);
        for &item in &known.indices {
            if had.len() == EXAMPLES {
                break;
            }
            if !had.contains(&item) {
                had.push(item);
            }
        }
        let model = self.model.as_recommender();
        let refusal = model.fold_in().is_none().then(|| no_new_users(&self.recommender));
        let in_words = |refusal: ApiFailure| format!("{} {}", refusal.message, refusal.remedy.unwrap_or_default());
        let memory = model.memory();
        ModelInfo {
            bytes: memory.parameters + memory.buffers,
            users: spread.map(|&user| users.get(user).to_owned()).collect(),
            users_withheld: false,
            items: had.into_iter().map(|item| items.get(item).to_owned()).collect(),
            new_users: refusal.is_none(),
            no_new_users: refusal.map(in_words),
            explains: self.says_no_why().is_none(),
        }
    }

    /// Answers a question as JSON, or says why it does not.
    pub fn reply_to(&self, question: &[u8]) -> RecommendReply {
        match serde_json::from_slice::<RecommendRequest>(question) {
            Ok(request) => self.answer(&request).map_or_else(RecommendReply::Failure, RecommendReply::Answer),
            Err(error) => RecommendReply::Failure(failure(
                "invalid-request",
                format!("The question cannot be read: {error}."),
                Some(HOW_TO_ASK.to_owned()),
            )),
        }
    }

    /// Answers.
    ///
    /// # Errors
    /// A failure with one sentence and a remedy: an id that the model does not know, a basket that the method cannot
    /// answer, a request out of bounds.
    pub fn answer(&self, request: &RecommendRequest) -> Result<Recommendations, ApiFailure> {
        request.check()?;
        match &request.user {
            Some(user) => self.for_user(user, request),
            None => self.for_basket(request),
        }
    }

    fn for_user(&self, user: &str, request: &RecommendRequest) -> Result<Recommendations, ApiFailure> {
        let asked = &self.asked;
        let index = asked.users.index_of(user).ok_or_else(|| unknown("user", user, &asked.users))?;
        let known = asked.known.row(index as usize).0;
        let exclude = (!request.include_seen).then_some(&asked.known);
        let ranked = RankRequest {
            users: &[index],
            k: request.k as usize,
            exclude,
            candidates: Some(&self.candidates),
            tie_ranks: &self.tie_ranks,
        };
        let model = self.model.as_recommender();
        let ranking = model.rank(&ranked, &mut Unobserved).map_err(not_ranked)?;
        let mut notes = Vec::new();
        if known.is_empty() {
            notes.push(format!(
                "{user} has nothing before the test. Such a user gets: {}",
                self.recommender.entry.cold_users
            ));
        }
        let explain = |item| model.explain(index, item, REASONS).unwrap_or_default();
        let left_out = if request.include_seen { 0 } else { known.len() };
        let has = if request.explain && !request.withhold_rows { self.owned(known) } else { Vec::new() };
        Ok(Recommendations { has, ..self.list(&ranking, request, Whose::User, left_out, notes, explain) })
    }

    fn for_basket(&self, request: &RecommendRequest) -> Result<Recommendations, ApiFailure> {
        let asked = &self.asked;
        let Some(fold_in) = self.model.as_recommender().fold_in() else {
            return Err(no_new_users(&self.recommender));
        };
        let mut basket: Vec<BasketItem> = Vec::with_capacity(request.basket.len());
        for entry in &request.basket {
            let item = asked.items.index_of(&entry.item).ok_or_else(|| no_such_item(entry, &asked.items))?;
            let rating = entry.rating.unwrap_or(asked.liked_rating);
            if rating.abs() > BEYOND_SCALE * asked.liked_rating.abs().max(1.0) {
                let message = format!(
                    "The rating of `{}` is {rating:e}, far outside the scale of the training, where {} says that an item is liked.",
                    entry.item, asked.liked_rating
                );
                return Err(failure("invalid-request", message, Some("Correct it, or leave it out.".to_owned())));
            }
            // Of an item that is named twice, the last counts, as of a user's several rows.
            basket.retain(|earlier| earlier.item != item);
            basket.push(BasketItem { item, rating });
        }
        let mut notes: Vec<String> = given_again(request).into_iter().collect();
        notes.extend(self.beyond_scale(&basket));
        // The basket itself stays in the order in which it was named: who reads sequences takes the first as the oldest.
        let mut indices: Vec<u32> = basket.iter().map(|entry| entry.item).collect();
        indices.sort_unstable();
        let shown = Csr { indptr: vec![0, indices.len()], values: vec![1.0; indices.len()], indices };
        let ranked = RankRequest {
            users: &[0],
            k: request.k as usize,
            exclude: (!request.include_seen).then_some(&shown),
            candidates: Some(&self.candidates),
            tie_ranks: &self.tie_ranks,
        };
        let ranking = ranking::for_basket(asked.items.len(), fold_in, &basket, &ranked).map_err(not_ranked)?;
        let explain = |item| fold_in.explain_basket(&basket, item, REASONS);
        let left_out = if request.include_seen { 0 } else { basket.len() };
        Ok(self.list(&ranking, request, Whose::Basket, left_out, notes, explain))
    }

    /// The first few of these items, by their names.
    fn owned(&self, items: &[u32]) -> Vec<Owned> {
        let Asked { items: ids, titles, .. } = &self.asked;
        let title = |item: u32| titles.as_ref().and_then(|titles| titles.get(item)).map(str::to_owned);
        items.iter().take(OWNED).map(|&item| Owned { item: ids.get(item).to_owned(), title: title(item) }).collect()
    }

    /// What is to be said of ratings that nobody gave in the training: methods count them as they are.
    fn beyond_scale(&self, basket: &[BasketItem]) -> Vec<String> {
        let Some([low, high]) = self.asked.rating_scale else { return Vec::new() };
        let beyond = basket.iter().find(|entry| entry.rating < low || entry.rating > high);
        let told = beyond.map(|entry| {
            let item = self.asked.items.get(entry.item);
            format!(
                "The rating of {item} is {}; those of the training run from {low} to {high}. It counts as it is.",
                entry.rating
            )
        });
        told.into_iter().collect()
    }

    fn list(
        &self,
        ranking: &ranking::Ranking,
        request: &RecommendRequest,
        whose: Whose,
        left_out: usize,
        mut notes: Vec<String>,
        explain: impl Fn(u32) -> Vec<Reason>,
    ) -> Recommendations {
        let Asked { users, items, titles, .. } = &self.asked;
        let withheld = request.explain && request.withhold_rows;
        let names = Names { users, items, titles: titles.as_ref(), withhold_rows: withheld };
        let explain = request.explain.then_some(explain);
        if explain.is_some() {
            notes.extend(self.says_no_why());
        }
        let unit = match self.recommender.predicts() {
            Predicts::Ratings => ScoreUnit::Stars,
            Predicts::Scores | Predicts::Both | Predicts::Components | Predicts::LastComponent => ScoreUnit::Score,
            Predicts::Likes => ScoreUnit::Probability,
        };
        let said = |score: f32| match self.asked.rating_scale {
            Some([low, high]) if unit == ScoreUnit::Stars => score.max(low).min(high),
            _ => score,
        };
        let list = ranking.list(0).iter().zip(&ranking.scores);
        let items = list.map(|(&item, &score)| {
            let reasons = explain.as_ref().map_or_else(Vec::new, |explain| explain(item));
            let reasons = reasons.iter().map(|reason| in_words(reason, whose, names)).collect();
            let title = titles.as_ref().and_then(|titles| titles.get(item)).map(str::to_owned);
            Recommended { item: items.get(item).to_owned(), title, score: said(score), reasons }
        });
        let items: Vec<Recommended> = items.collect();
        let (ties_from, left_out) = (ties_from(&items, unit), left_out as u64);
        Recommendations { ties_from, items, unit, left_out, has: Vec::new(), withheld, notes }
    }

    /// What is to be said where no reasons come.
    fn says_no_why(&self) -> Option<String> {
        // What a hybrid of features says is what its last component says.
        let speaks = match self.recommender.entry.kind {
            "feature-combination" | "feature-augmentation" => self.recommender.components().last(),
            _ => None,
        };
        let Entry { kind, title, explains, .. } = speaks.unwrap_or(&self.recommender).entry;
        if explains.is_none() {
            return Some(format!("{title} cannot say why."));
        }
        let model = self.model.as_recommender();
        let is_older = SAY_WHY_SINCE.contains(kind)
            && model.n_users() > 0
            && model.n_items() > 0
            && model.explain(0, 0, 1).is_none();
        is_older.then(|| {
            format!(
                "This model of {title} was kept by an earlier version of the lab and cannot say why. Train it again."
            )
        })
    }
}

/// What is to be said of items that a basket names more than once.
fn given_again(request: &RecommendRequest) -> Option<String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &request.basket {
        *times.entry(&entry.item).or_default() += 1;
    }
    let named = |(item, times): (&str, usize)| match times {
        2 => format!("{item} twice"),
        times => format!("{item} {times} times"),
    };
    let again: Vec<String> = times.into_iter().filter(|(_, times)| *times > 1).map(named).collect();
    let others = match again.len().saturating_sub(EXAMPLES) {
        0 => String::new(),
        others => format!(" and {others} more several times"),
    };
    let told = format!("{}{others}", again[..again.len().min(EXAMPLES)].join(", "));
    (!again.is_empty()).then(|| format!("The basket has {told}; each item counts once, as it was given last."))
}

/// An item that the model does not know; or one that it knows, with a rating behind a colon that was not read as one.
fn no_such_item(entry: &BasketEntry, items: &Dictionary) -> ApiFailure {
    let rated = entry.item.rsplit_once(':').map(|(item, rating)| (item.trim(), rating.trim()));
    let rated = rated.filter(|(item, _)| entry.rating.is_none() && items.index_of(item).is_some());
    let Some((item, rating)) = rated else { return unknown("item", &entry.item, items) };
    let in_json = |rating: f32| {
        let item = serde_json::to_string(&beginning(item)).unwrap_or_default();
        format!("{{\"item\": {item}, \"rating\": {rating}}}")
    };
    // A number behind a colon is read as a rating wherever no JSON is.
    let number = rating.parse::<f32>().ok().filter(|rating| rating.is_finite());
    let (message, remedy) = if let Some(rating) = number {
        let message = format!("`{}` is no item: in JSON a rating has a field of its own.", beginning(&entry.item));
        (message, format!("Write the rating as {}.", in_json(rating)))
    } else {
        let (json, item, rating) = (in_json(4.0), beginning(item), beginning(rating));
        let message = format!("The rating of `{item}` is `{rating}`, which is no number.");
        (message, format!("Write a number, as {item}:4, or in JSON as {json}; or leave it out with its colon."))
    };
    failure("invalid-request", message, Some(remedy))
}

fn unknown(what: &str, id: &str, ids: &Dictionary) -> ApiFailure {
    let near = near(ids, id);
    let remedy = if near.is_empty() {
        let some: Vec<&str> = ids.iter().take(EXAMPLES).collect();
        format!("Give one of the data set's {} {what}s, as {}.", ids.len(), some.join(", "))
    } else {
        format!("Did you mean {}?", near.join(" or "))
    };
    failure(&format!("unknown-{what}"), format!("The model knows no {what} `{}`.", beginning(id)), Some(remedy))
}

/// As much of an id as a sentence can hold.
fn beginning(id: &str) -> String {
    id.chars().take(60).collect()
}

fn not_ranked(error: RankError) -> ApiFailure {
    let code = if matches!(error, RankError::OutOfMemory { .. }) { "out-of-memory" } else { "not-ranked" };
    failure(code, format!("The items cannot be ranked: {error}."), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_shown_in_json_is_json_and_no_longer_than_a_sentence_holds() {
        let long = "x".repeat(100);
        let items: Dictionary = [r#"a"b"#, long.as_str()].into_iter().collect();
        let of = |item: String| no_such_item(&BasketEntry { item, rating: None }, &items);
        assert_eq!(
            of(r#"a"b:4.5"#.to_owned()).remedy.unwrap(),
            r#"Write the rating as {"item": "a\"b", "rating": 4.5}."#
        );
        let failure = of(format!("{long}:abc"));
        assert!(!failure.message.contains(&long) && !failure.remedy.unwrap().contains(&long));
    }
}
