//! Caser: pictures of the newest items, and convolutions of every height.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::Network;
use crate::evaluation::Ranked;
use crate::learnt::{Learnt, linear, number};
use crate::whole::{Asked, Encoded, Step};

pub(super) const NETWORK: Network = Network { kind: "caser", width: "recommender.factors", learnt, step, ranked };

struct Sizes {
    d: u64,
    window: u64,
    horizontal: u64,
    vertical: u64,
}

impl Sizes {
    fn of(recommender: &ResolvedRecommender) -> Self {
        let [d, window, horizontal, vertical] =
            ["factors", "window", "horizontal", "vertical"].map(|name| number(recommender, name));
        Self { d, window, horizontal, vertical }
    }

    /// Numbers that a picture becomes on its way through.
    fn of_a_picture(&self) -> u64 {
        let Self { d, window, horizontal, .. } = *self;
        let patches: u64 = (1..=window).map(|height| (window + 1 - height) * (height * d + 3 * horizontal)).sum();
        4 * window * d + patches + self.together()
    }

    /// Of these, what all filters together find, before and after it is one row.
    const fn together(&self) -> u64 {
        4 * (self.window * self.horizontal + self.vertical * self.d)
    }

    /// Patches of the height that has most of them.
    fn patches(&self) -> u64 {
        (1..=self.window).map(|height| (self.window + 1 - height) * height * self.d).max().unwrap_or(0)
    }

    /// Numbers that it has at once where nothing is kept for the way back: the patches of one height, as they were cut and side by side.
    fn at_once(&self) -> u64 {
        3 * self.window * (self.d + self.horizontal) + 2 * self.patches() + self.together()
    }
}

fn learnt(recommender: &ResolvedRecommender, data: &Extent) -> Learnt {
    let Sizes { d, window, horizontal, vertical } = Sizes::of(recommender);
    let filters: u64 = (1..=window).map(|height| linear(height * d, horizontal)).sum();
    let together = linear(window * horizontal + vertical * d, d);
    let tables = vec![(data.items, d), (data.users, d), (data.items, 2 * d + 1)];
    Learnt { dense: filters + linear(window, vertical) + together, tables }
}

/// Pictures of the items before each item of a sequence, which may be longer than they are wide. Where nobody knows how long,
/// histories are taken to be no more than twice as long as they are on average.
fn step(asked: &Asked<'_>) -> Step {
    let sizes = Sizes::of(asked.recommender);
    let Sizes { d, window, .. } = sizes;
    let mean = || asked.lessons.rows.map_or(0, |rows| rows.div_ceil(asked.data.users.max(1)));
    let pictures = match asked.lessons.lengths {
        Some(lengths) => lengths.of_a_batch(asked.batch()).max(1),
        None => asked.batch() * window.max(2 * mean()),
    };
    let questions = pictures * asked.of("ahead").max(1);
    asked.sequences(&Encoded {
        kept: pictures * sizes.of_a_picture(),
        slopes: pictures * 2 * sizes.patches(),
        read: pictures * (window + 1) * d,
        questions: (questions, 2 * d + 1),
        // Of one height: there are others that are nearly as many.
        largest: (pictures * sizes.patches(), 1),
    })
}

/// Each history is one picture.
fn ranked(recommender: &ResolvedRecommender, _: &Extent) -> Ranked {
    let sizes = Sizes::of(recommender);
    Ranked::of_sequences(2 * sizes.d + 1, sizes.at_once(), (0, 0), 1)
}
