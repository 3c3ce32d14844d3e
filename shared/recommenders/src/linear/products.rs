//! Inner products between the items' columns of weights, `XᵀX`: kept where they fit, computed anew where they do not.

use std::borrow::Cow;

use rayon::prelude::*;
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;

use crate::item_to_item::Weighting;
use crate::linear::ease::gramian;
use crate::scratch::Pool;
use crate::{FitError, TrainSet};

/// Items of which all pairs are kept, 512 MB in all; of more, only the pairs that share a user.
const ALL_PAIRS: usize = 8_000;
/// Items worked on between two looks at the observer; a fixed number, so the bits do not depend on the threads.
pub(super) const GROUP: usize = 64;

/// The products of all items, or the means to compute them.
pub(super) struct Products<'a> {
    data: &'a TrainSet<'a>,
    weighting: Weighting,
    kept: Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Every pair of items.
    All,
    /// The pairs that share a user.
    Shared,
    Nothing,
}

enum Kept {
    /// `[n_items, n_items]`
    All(Vec<f64>),
    /// Row by row.
    Shared(Vec<SharedRow>),
    Nothing,
}

/// The items that one item shares a user with, itself among them, ascending, and its products with them. Each row has
/// memory of its own: one list of all of them would be there twice whenever it grew.
struct SharedRow {
    items: Box<[u32]>,
    products: Box<[f64]>,
}

/// The items that share a user with one item, itself among them, ascending, and its products with them.
pub(super) struct Row<'a> {
    pub(super) items: Cow<'a, [u32]>,
    pub(super) products: Cow<'a, [f64]>,
}

/// What goes over all items, group by group, is told, and may be stopped.
pub(super) struct Progress<'o> {
    observer: &'o mut dyn FitObserver,
    done: u64,
    total: u64,
}

impl<'o> Progress<'o> {
    pub(super) fn new(observer: &'o mut dyn FitObserver, total: usize) -> Self {
        Self { observer, done: 0, total: total as u64 }
    }

    /// Before a group.
    ///
    /// # Errors
    /// [`FitError::Interrupted`].
    pub(super) fn begin(&mut self) -> Result<(), FitError> {
        if self.observer.stop_requested() {
            return Err(FitError::Interrupted { done: self.done, total: self.total, unit: "items" });
        }
        Ok(())
    }

    /// After a group of so many items.
    pub(super) fn end(&mut self, items: usize) {
        self.done += items as u64;
        let unit = "items".to_owned();
        self.observer.event(EventKind::Progress { done: self.done, total: self.total, unit });
    }
}

impl Keeps {
    /// What is kept in `allowed` bytes, and the bytes it takes at most: counts tell before any work.
    pub(super) fn within(allowed: u64, data: &TrainSet<'_>) -> (Self, u64) {
        let all = 8 * (data.n_items() as u64).pow(2);
        if data.n_items() <= ALL_PAIRS && all <= allowed {
            return (Self::All, all);
        }
        // A user's items make as many pairs; users who have the same pair make it once.
        let pairs = (0..data.by_user.n_rows()).map(|user| (data.by_user.row(user).0.len() as u64).pow(2)).sum::<u64>();
        let rows = (data.n_items() * size_of::<SharedRow>()) as u64;
        let shared = pairs.saturating_mul((size_of::<u32>() + size_of::<f64>()) as u64).saturating_add(rows);
        if shared <= allowed { (Self::Shared, shared) } else { (Self::Nothing, 0) }
    }

    /// Rounds over all items that computing them takes, as [`Progress`] counts.
    pub(super) const fn rounds(self) -> usize {
        if matches!(self, Self::Shared) { 1 } else { 0 }
    }
}

impl<'a> Products<'a> {
    /// Computes what is kept. `lines`: `[n_items]` each, all zero before and after, as everywhere here.
    ///
    /// # Errors
    /// [`FitError`]: interrupted, or more than can be had.
    pub(super) fn new(
        data: &'a TrainSet<'a>,
        weighting: Weighting,
        keeps: Keeps,
        lines: &Pool<Vec<f64>>,
        progress: &mut Progress<'_>,
    ) -> Result<Self, FitError> {
        let mut products = Self { data, weighting, kept: Kept::Nothing };
        products.kept = match keeps {
            Keeps::All => Kept::All(gramian(&data.by_user, &data.by_item, weighting, 0.0)?),
            Keeps::Shared => Kept::Shared(products.shared(lines, progress)?),
            Keeps::Nothing => Kept::Nothing,
        };
        Ok(products)
    }

    fn shared(&self, lines: &Pool<Vec<f64>>, progress: &mut Progress<'_>) -> Result<Vec<SharedRow>, FitError> {
        let n_items = self.data.n_items();
        let mut shared = Vec::with_capacity(n_items);
        for start in (0..n_items).step_by(GROUP) {
            progress.begin()?;
            let end = (start + GROUP).min(n_items);
            let line = || lines.lend(|| vec![0.0; n_items]);
            let rows: Vec<SharedRow> = (start..end)
                .into_par_iter()
                .map_init(line, |line, item| {
                    let (items, products) = self.anew(item as u32, line);
                    SharedRow { items: items.into(), products: products.into() }
                })
                .collect();
            shared.extend(rows);
            progress.end(end - start);
        }
        Ok(shared)
    }

    /// The items that share a user with `item`, and its products with them.
    pub(super) fn row(&self, item: u32, line: &mut [f64]) -> Row<'_> {
        match &self.kept {
            Kept::All(all) => {
                let row = &all[item as usize * line.len()..][..line.len()];
                let items = (0..).zip(row).filter(|(_, product)| **product != 0.0);
                let (items, products): (Vec<u32>, Vec<f64>) = items.map(|(item, &product)| (item, product)).unzip();
                Row { items: items.into(), products: products.into() }
            }
            Kept::Shared(shared) => {
                let SharedRow { items, products } = &shared[item as usize];
                Row { items: Cow::Borrowed(&items[..]), products: Cow::Borrowed(&products[..]) }
            }
            Kept::Nothing => {
                let (items, products) = self.anew(item, line);
                Row { items: items.into(), products: products.into() }
            }
        }
    }

    /// The products of `item` with `others`, which ascend.
    ///
    /// # Shapes
    /// - `into`: as `others`
    pub(super) fn among(&self, item: u32, others: &[u32], line: &mut [f64], into: &mut [f64]) {
        match &self.kept {
            Kept::All(all) => {
                let row = &all[item as usize * line.len()..][..line.len()];
                into.iter_mut().zip(others).for_each(|(product, &other)| *product = row[other as usize]);
            }
            Kept::Shared(shared) => pick(&shared[item as usize], others, into),
            Kept::Nothing => {
                let mut touched = self.add(item, line);
                into.iter_mut().zip(others).for_each(|(product, &other)| *product = line[other as usize]);
                touched.drain(..).for_each(|other| line[other as usize] = 0.0);
            }
        }
    }

    fn anew(&self, item: u32, line: &mut [f64]) -> (Vec<u32>, Vec<f64>) {
        let mut touched = self.add(item, line);
        touched.sort_unstable();
        // Weights that cancel out can make an item look new twice.
        touched.dedup();
        let products = touched.iter().map(|&other| std::mem::take(&mut line[other as usize])).collect();
        (touched, products)
    }

    /// Adds `x_item · x_other` to `line` for every item that shares a user, in the order of the users; those items.
    fn add(&self, item: u32, line: &mut [f64]) -> Vec<u32> {
        let mut touched = Vec::new();
        let (users, ratings) = self.data.by_item.row(item as usize);
        for (&user, &rating) in users.iter().zip(ratings) {
            let weight = f64::from(self.weighting.of(rating));
            let (others, other_ratings) = self.data.by_user.row(user as usize);
            for (&other, &other_rating) in others.iter().zip(other_ratings) {
                let sum = &mut line[other as usize];
                if *sum == 0.0 {
                    touched.push(other);
                }
                *sum += weight * f64::from(self.weighting.of(other_rating));
            }
        }
        touched
    }
}

/// The products of a row with `others`; both ascend. An item that is not in the row shares no user: 0.
fn pick(SharedRow { items, products }: &SharedRow, others: &[u32], into: &mut [f64]) {
    let mut from = 0;
    for (product, &other) in into.iter_mut().zip(others) {
        // A few others lie far apart in a long row: doubling steps, then halves.
        let mut step = 1;
        while from + step < items.len() && items[from + step] < other {
            step *= 2;
        }
        let end = (from + step + 1).min(items.len());
        from += items[from..end].partition_point(|&item| item < other);
        *product = if items.get(from) == Some(&other) { products[from] } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use recspeed_data::InteractionsBuilder;
    use recspeed_types::Unobserved;

    fn of<'a>(data: &'a TrainSet<'a>, keeps: Keeps) -> Products<'a> {
        let mut unobserved = Unobserved;
        let mut progress = Progress::new(&mut unobserved, data.n_items());
        Products::new(data, Weighting::named("rating"), keeps, &Pool::new(), &mut progress).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_is_computed_anew(
            pairs in prop::collection::vec((0..12_u32, 0..20_u32, -2..3_i32), 1..80),
            mut others in prop::collection::vec(0..20_u32, 0..12),
        ) {
            let mut builder = InteractionsBuilder::default();
            for item in 0..20 {
                builder.push("everybody's", &format!("i{item}"), 0.0, 0);
            }
            for (user, item, rating) in pairs {
                builder.push(&format!("u{user}"), &format!("i{item}"), rating as f32, 0);
            }
            let interactions = builder.finish();
            let rows: Vec<u32> = (20..interactions.len() as u32).collect();
            let data = TrainSet::new(&interactions, &rows);
            let mut line = vec![0.0; data.n_items()];
            others.sort_unstable();
            others.dedup();
            let anew = of(&data, Keeps::Nothing);
            for keeps in [Keeps::All, Keeps::Shared] {
                let kept = of(&data, keeps);
                for item in 0..data.n_items() as u32 {
                    let present = |row: Row<'_>| -> Vec<(u32, f64)> {
                        let row = row.items.iter().copied().zip(row.products.iter().copied());
                        row.filter(|(_, product)| *product != 0.0).collect()
                    };
                    prop_assert_eq!(present(kept.row(item, &mut line)), present(anew.row(item, &mut line)));
                    let among = |products: &Products<'_>, line: &mut [f64]| {
                        let mut into = vec![f64::NAN; others.len()];
                        products.among(item, &others, line, &mut into);
                        into
                    };
                    prop_assert_eq!(among(&kept, &mut line), among(&anew, &mut line));
                    prop_assert!(line.iter().all(|&sum| sum == 0.0));
                }
            }
        }
    }

    #[test]
    fn counts_tell_what_is_kept() {
        let mut builder = InteractionsBuilder::default();
        for (user, item) in [("a", "x"), ("a", "y"), ("a", "z"), ("b", "y")] {
            builder.push(user, item, 1.0, 0);
        }
        let interactions = builder.finish();
        let data = TrainSet::new(&interactions, &[0, 1, 2, 3]);
        assert_eq!(Keeps::within(72, &data), (Keeps::All, 72));
        // 3² pairs of the one, 1 of the other, at 12 bytes.
        assert_eq!(Keeps::within(71, &data), (Keeps::Nothing, 0));
        let many = ALL_PAIRS as u32 + 1;
        let mut builder = InteractionsBuilder::default();
        for item in 0..many {
            builder.push(&format!("u{}", item / 3), &format!("i{item}"), 1.0, 0);
        }
        let interactions = builder.finish();
        let rows: Vec<u32> = (0..many).collect();
        let data = TrainSet::new(&interactions, &rows);
        let row = 12 * 3 + size_of::<SharedRow>() as u64;
        assert_eq!(Keeps::within(u64::MAX, &data), (Keeps::Shared, row * u64::from(many)));
    }
}
