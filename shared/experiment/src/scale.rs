//! What lies outside the scale of the ratings: single ratings, which outweigh all others, and a recommender's errors.

use recspeed_data::{FAR_RATING, Interactions, usual_rating};
use recspeed_types::spec::{ParamValue, ResolvedSpec};

use crate::Host;
use crate::run::Story;
use crate::runaway::remedy;

/// Warns whoever reads ratings as numbers of some that are absurdly far from the rest: whoever predicts ratings, and whoever
/// weighs by them what people have. To a probability of liking they are no farther than any other above the threshold.
pub(crate) fn warn_of_far_ratings(spec: &ResolvedSpec, data: &Interactions, host: &mut dyn Host, story: &mut Story) {
    let predicts = spec.recommender.predicts();
    let instead = if predicts.has_ratings() && !predicts.has_probabilities() {
        "take a recommender that learns from who has what, as als-implicit".to_owned()
    } else {
        let settings = unweighed(spec);
        if settings.is_empty() {
            return;
        }
        format!("set {settings}")
    };
    if let Some(found) = far_ratings(data) {
        let mend = "where they are mistakes, mend them in the file or take them out, and where they are counts";
        story.warn(host, format!("{found}; {mend}, {instead}"));
    }
}

/// What makes the recommender and its components count each rating as 1, where they weigh by ratings.
pub(crate) fn unweighed(spec: &ResolvedSpec) -> String {
    let mut settings: Vec<String> = Vec::new();
    spec.recommender.visit("recommender", &mut |at, each| {
        if matches!(each.params().get("weighting"), Some(ParamValue::Text(by)) if by == "rating") {
            settings.push(format!("{at}.weighting = \"binary\""));
        }
    });
    settings.join(" and ")
}

/// How many, with the largest and its place.
fn far_ratings(data: &Interactions) -> Option<String> {
    let usual = usual_rating(&data.rating)?;
    let is_far = |rating: f32| usual > 0.0 && rating.abs() > FAR_RATING * usual;
    let far = data.rating.iter().filter(|&&rating| is_far(rating)).count();
    let largest = data.rating.iter().enumerate().max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
    let (row, &rating) = largest.filter(|_| far > 0)?;
    let are = if far == 1 { "is" } else { "are" };
    Some(format!(
        "{far} of {} ratings {are} more than {FAR_RATING} times as large as the usual one ({}); the largest is {}, of user `{}` for item `{}`: such ratings outweigh all others in sums, means and errors",
        data.len(),
        short(usual),
        short(rating),
        data.users.get(data.user[row]),
        data.items.get(data.item[row])
    ))
}

/// Warns of predictions whose rmse, `error`, is larger than the scale is wide, as that of no single rating given to
/// everything would be; whether it did.
pub(crate) fn warn_of_errors_beyond(
    (low, high): (f32, f32),
    error: f64,
    (spec, data): (&ResolvedSpec, &Interactions),
    host: &mut dyn Host,
    story: &mut Story,
) -> bool {
    let width = f64::from(high) - f64::from(low);
    let is_beyond = width > 0.0 && error > width;
    if is_beyond {
        let sentence = format!(
            "the rmse is {}, more than the whole scale of the ratings, {} to {}, is wide: any one rating for everybody errs less; {}",
            short(error as f32),
            short(low),
            short(high),
            remedy(spec, &data.rating)
        );
        story.warn(host, sentence);
    }
    is_beyond
}

/// Without a row of zeros for huge numbers.
fn short(value: f32) -> String {
    if value.abs() < 1e5 { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;

    use super::*;

    fn of(ratings: impl IntoIterator<Item = f32>) -> Option<String> {
        let mut builder = InteractionsBuilder::default();
        for (row, rating) in ratings.into_iter().enumerate() {
            builder.push(&format!("u{row}"), &format!("i{row}"), rating, 0);
        }
        far_ratings(&builder.finish())
    }

    #[test]
    fn ratings_far_from_the_usual_one_are_counted_and_the_largest_has_its_place() {
        let said = of([1.0, 3.0, 1e30, 5.0, 4.0, -1e38, 2.0]).unwrap();
        let start = "2 of 7 ratings are more than 1000 times as large as the usual one (4); the largest is -1e38, of user `u5` for item `i5`";
        assert!(said.starts_with(start), "{said}");
        // Two in five of a file: what is usual is still told by the others.
        let most = (0..100).map(|row| if row % 5 < 2 { 1e38 } else { 3.0 });
        assert!(of(most).unwrap().starts_with("40 of 100 "));
    }

    #[test]
    fn scales_and_counts_as_people_have_them_are_no_reason_to_warn() {
        let of_stars = (0..100).map(|row| (row % 5 + 1) as f32);
        let of_plays = (1..1000).map(|place| 350_000.0 / place as f32);
        assert_eq!(of(of_stars), None);
        assert_eq!(of(of_plays), None);
        assert_eq!(of([]), None);
        assert_eq!(of([0.0, 0.0, 0.0, 1.0]), None, "where 0 is usual nothing is measured by it");
    }
}
