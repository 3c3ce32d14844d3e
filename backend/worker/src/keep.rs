//! Keeps the model of a finished run.

use std::path::Path;

use recspeed_data::{Csr, Interactions};
use recspeed_experiment::{Model, Outcome};
use recspeed_models::{Manifest, ModelError, ModelToSave};
use recspeed_types::{ExperimentSpec, RunId};

/// Saves what a run leaves behind into `dir`.
pub(crate) fn keep(dir: &Path, run: &RunId, spec: &ExperimentSpec, outcome: &Outcome) -> Result<Manifest, ModelError> {
    let data = &outcome.interactions;
    recspeed_models::save(
        dir,
        &ModelToSave {
            run,
            spec,
            data: &outcome.summary.data,
            users: &data.users,
            items: &data.items,
            titles: outcome.titles.as_ref(),
            known: &Csr::by_user(data, &outcome.known_rows),
            liked_rating: liked_rating(data, &outcome.known_rows, spec.evaluation.threshold),
            rating_scale: rating_scale(data, &outcome.known_rows),
            parts: &outcome.model.as_recommender().parts(),
            as_tensors: matches!(outcome.model, Model::Network(_)),
        },
    )
}

/// What an item counts as that somebody has and did not rate: the mean of the ratings that are liked, of all where none
/// is, 1 where the data have no ratings.
fn liked_rating(data: &Interactions, rows: &[u32], threshold: f64) -> f32 {
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
fn rating_scale(data: &Interactions, rows: &[u32]) -> Option<[f32; 2]> {
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
