//! What makes a metric undefined.

/// Why a metric has no value. An undefined metric is not zero: the caller decides whether to leave it out.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// There is nothing to take a mean over.
    #[error("{metric} is the mean over {over}, and there are none; hold out more rows")]
    Empty {
        /// The metric.
        metric: &'static str,
        /// What the mean is over.
        over: &'static str,
    },
    /// Two slices that belong together differ in length.
    #[error("{predicted} predictions for {truth} true ratings; give one prediction for each rating")]
    Lengths {
        /// Length of the predictions.
        predicted: usize,
        /// Length of the true ratings.
        truth: usize,
    },
    /// A prediction or a rating is infinite or not a number.
    #[error(
        "the pair at place {place} (predicted {predicted}, true {truth}) is not finite; the fit diverged or the rating is damaged"
    )]
    NotFinite {
        /// Index into the slices.
        place: usize,
        /// The prediction.
        predicted: f32,
        /// The true rating.
        truth: f32,
    },
    /// All ratings lie on one side of the threshold.
    #[error(
        "{metric} compares ratings of at least {threshold} with lower ones, and all test ratings are {} {threshold}; set another evaluation.threshold",
        if *liked { "at least" } else { "below" }
    )]
    OneSided {
        /// The metric.
        metric: &'static str,
        /// Whether that side is the liked one.
        liked: bool,
        /// The threshold.
        threshold: f64,
    },
    /// A user without held-out items has no ranking metric.
    #[error("{metric} of a user without relevant items is undefined; leave the user out of the mean")]
    NoRelevantItems {
        /// The metric.
        metric: &'static str,
    },
    /// Lists do not fill a whole number of rows.
    #[error("{places} places are not whole lists of {width}; pad short lists with NO_ITEM")]
    Ragged {
        /// Places in all.
        places: usize,
        /// Places of one list.
        width: usize,
    },
    /// A list names an item that the catalogue does not have.
    #[error("item {item} is recommended, but there are {items} items; ids and counts come from different data")]
    UnknownItem {
        /// The item.
        item: u32,
        /// Number of items.
        items: usize,
    },
}
