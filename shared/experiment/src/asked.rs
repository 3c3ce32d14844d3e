//! What a run leaves behind, as far as somebody needs it who asks its model.

use recspeed_data::{Csr, Dictionary, Interactions, Titles};
use recspeed_types::RunSummary;
use recspeed_types::spec::ResolvedSpec;

use crate::{Answering, Outcome};

/// What a model needs besides itself to answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Ids of the users, by index.
    pub users: Dictionary,
    /// Ids of the items, by index.
    pub items: Dictionary,
    /// What the items are called, by index, where the data set said so.
    pub titles: Option<Titles>,
    /// Users × items: what each user had before the test.
    pub known: Csr,
    /// What an item counts as that somebody has and did not rate.
    pub liked_rating: f32,
    /// Lowest and highest rating that anybody gave: stars are said within it. Lists are ordered by what was predicted, which may lie
    /// beyond.
    pub rating_scale: Option<[f32; 2]>,
}

impl Outcome {
    /// The result, and the model with what it needs to answer, without a way through files: it answers as the one that is saved and
    /// loaded again.
    ///
    /// # Errors
    /// A sentence in place of the model, where it and the data do not belong together.
    pub fn into_answering(self, spec: &ResolvedSpec) -> (RunSummary, Result<Answering, String>) {
        let Self { summary, model, interactions, titles, known_rows, .. } = self;
        let known = Csr::by_user(&interactions, &known_rows);
        let liked_rating = liked_rating(&interactions, &known_rows, spec.evaluation.threshold);
        let rating_scale = rating_scale(&interactions, &known_rows);
        let Interactions { users, items, .. } = interactions;
        let asked = Asked { users, items, titles, known, liked_rating, rating_scale };
        (summary, Answering::new(model, spec, asked))
    }
}

/// What an item counts as that somebody has and did not rate: the mean of the ratings that are liked, of all where none
/// is, 1 where the data have no ratings.
pub fn liked_rating(data: &Interactions, rows: &[u32], threshold: f64) -> f32 {
    if !data.has_ratings {
        return 1.0;
    }
    let mean = |liked: &dyn Fn(f64) -> bool| {
        let ratings = rows.iter().map(|&row| f64::from(data.rating[row as usize])).filter(|&rating| liked(rating));
        let (sum, count) = ratings.fold((0.0, 0u32), |(sum, count), rating| (sum + rating, count + 1));
        (count > 0).then(|| (sum / f64::from(count)) as f32)
    };
    mean(&|rating| rating >= threshold).or_else(|| mean(&|_| true)).unwrap_or(1.0)
}

/// Lowest and highest rating; none where the data have no ratings.
pub fn rating_scale(data: &Interactions, rows: &[u32]) -> Option<[f32; 2]> {
    let ratings = rows.iter().filter(|_| data.has_ratings).map(|&row| data.rating[row as usize]);
    ratings.fold(None, |scale: Option<[f32; 2]>, rating| {
        let [low, high] = scale.unwrap_or([rating; 2]);
        Some([low.min(rating), high.max(rating)])
    })
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;

    use super::*;

    #[test]
    fn what_is_liked_counts_as_the_mean_of_the_liked_ratings() {
        let mut rows = InteractionsBuilder::default();
        for rating in [1.0, 4.0, 5.0, 5.0] {
            rows.push("u", &rating.to_string(), rating, 0);
        }
        let data = rows.finish();
        assert_eq!(liked_rating(&data, &[0, 1, 2], 4.0), 4.5);
        assert_eq!(liked_rating(&data, &[0, 1], 4.5), 2.5, "nothing is liked: the mean of all");
        assert_eq!((rating_scale(&data, &[1, 2]), rating_scale(&data, &[])), (Some([4.0, 5.0]), None));
        assert_eq!(liked_rating(&Interactions { has_ratings: false, ..data }, &[0, 1, 2], 4.0), 1.0);
    }
}
