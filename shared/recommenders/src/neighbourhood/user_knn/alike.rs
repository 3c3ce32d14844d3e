//! How alike people are, by the items that both rated.

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;

use super::super::GROUP_ROWS;
use super::super::pairs::{Keeping, Pairs};
use super::similarities::{Row, Similarities};
use super::{REMEDY, Settings, Similarity};
use crate::scratch::{Lent, Pool};
use crate::{FitError, TrainSet};

/// Sums over the items that two people both rated.
#[derive(Debug, Clone, Copy, Default)]
struct Common {
    n: u32,
    own: f64,
    other: f64,
    own_squares: f64,
    other_squares: f64,
    products: f64,
}

impl Common {
    fn add(&mut self, own: f32, other: f32) {
        let (own, other) = (f64::from(own), f64::from(other));
        self.n += 1;
        self.own += own;
        self.other += other;
        self.own_squares += own * own;
        self.other_squares += other * other;
        self.products += own * other;
    }

    fn similarity(&self, settings: &Settings) -> f32 {
        if self.n < settings.min_support {
            return 0.0;
        }
        let n = f64::from(self.n);
        let plain = match settings.similarity {
            Similarity::Msd => {
                let squares = (self.own_squares - 2.0 * self.products + self.other_squares).max(0.0);
                1.0 / (1.0 + squares / n)
            }
            Similarity::Cosine => quotient(self.products, self.own_squares * self.other_squares),
            Similarity::Pearson => quotient(
                n * self.products - self.own * self.other,
                (n * self.own_squares - self.own * self.own) * (n * self.other_squares - self.other * self.other),
            ),
        };
        (plain * n / (n + settings.shrinkage)) as f32
    }
}

/// `a / √b`, or 0 where `b` is nothing.
fn quotient(a: f64, b: f64) -> f64 {
    if b > 1e-12 { a / b.sqrt() } else { 0.0 }
}

/// What a person has in common with others: sums for those alone who share an item.
pub(super) struct Shared {
    /// `[n_users]`: 1 more than the place of a user's sums; 0 for none.
    places: Vec<u32>,
    sums: Vec<(u32, Common)>,
}

impl Shared {
    pub(super) fn new(n_users: usize) -> Self {
        Self { places: vec![0; n_users], sums: Vec::new() }
    }

    /// Similarities above 0 of a person to every user, ascending.
    pub(super) fn similar(&mut self, own: impl Iterator<Item = (u32, f32)>, by_item: &Csr, settings: &Settings) -> Row {
        let Self { places, sums } = self;
        for (item, rating) in own {
            let (users, ratings) = by_item.row(item as usize);
            for (&user, &other) in users.iter().zip(ratings) {
                let place = &mut places[user as usize];
                if *place == 0 {
                    sums.push((user, Common::default()));
                    *place = sums.len() as u32;
                }
                sums[*place as usize - 1].1.add(rating, other);
            }
        }
        for (user, _) in &*sums {
            places[*user as usize] = 0;
        }
        sums.sort_unstable_by_key(|(user, _)| *user);
        let all = sums.drain(..).map(|(user, common)| (user, common.similarity(settings)));
        all.filter(|(_, similarity)| *similarity > 0.0).collect()
    }
}

/// What is told of similarities as the fit makes them, and of those that a reading puts in their place: the larger ones
/// are asked for, and whoever goes on beside the model hears of both.
fn both(of_fit: Result<(), FitError>, of_reading: Result<(), FitError>) -> Result<(), FitError> {
    let asked = |told: &Result<(), FitError>| match told {
        Err(FitError::Unaffordable { bytes, stays, .. }) => Some((*bytes, *stays)),
        _ => None,
    };
    let (Some((first, keeps)), Some((then, grown))) = (asked(&of_fit), asked(&of_reading)) else {
        return of_reading.and(of_fit);
    };
    let mut told = if then > first { of_reading } else { of_fit };
    if let Err(FitError::Unaffordable { stays, at_test, .. }) = &mut told {
        (*stays, *at_test) = (keeps, keeps.max(grown));
    }
    told
}

/// Readers, by what each has, beside everybody by what was learnt from.
#[derive(Clone, Copy)]
pub(super) struct Comparing<'a> {
    /// Readers × items.
    pub(super) readers: &'a Csr,
    /// Items × users.
    pub(super) by_item: &'a Csr,
    pub(super) settings: &'a Settings,
    pub(super) lines: &'a Pool<Shared>,
}

impl Comparing<'_> {
    fn lend(&self) -> Lent<'_, Shared> {
        self.lines.lend(|| Shared::new(self.readers.n_rows()))
    }

    /// Similarities above 0 of a reader to the others, ascending.
    fn similar(&self, shared: &mut Shared, reader: usize) -> Row {
        let (items, ratings) = self.readers.row(reader);
        let own = items.iter().copied().zip(ratings.iter().copied());
        let mut row = shared.similar(own, self.by_item, self.settings);
        row.retain(|(other, _)| *other as usize != reader);
        row
    }

    /// Gives these readers, ascending, their rows anew, and leaves those of all others.
    ///
    /// # Errors
    /// [`FitError`]: the observer stopped it, or the similarities become more than is `allowed`.
    pub(super) fn renew(
        &self,
        similarities: &mut Similarities,
        readers: &[usize],
        allowed: u64,
        observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        let (mut done, total, unit) = (0, readers.len() as u64, "users");
        for some in readers.chunks(GROUP_ROWS) {
            if observer.stop_requested() {
                return Err(FitError::Interrupted { done, total, unit });
            }
            let rows: Vec<Row> =
                some.par_iter().map_init(|| self.lend(), |shared, &reader| self.similar(shared, reader)).collect();
            similarities.replace(some, &rows);
            self.pairs().check_kept(
                similarities.nnz(),
                allowed,
                ("the similarities between users (so far)", REMEDY),
            )?;
            done += some.len() as u64;
            observer.event(EventKind::Progress { done, total, unit: unit.to_owned() });
        }
        Ok(())
    }

    /// Refuses similarities that are too many: those of the fit, and those by what will be read of people after it.
    ///
    /// # Errors
    /// [`FitError::Unaffordable`], or stopped while similarities were counted.
    pub(super) fn check(
        &self,
        data: &TrainSet<'_>,
        allowed: u64,
        observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        let of_fit = self.check_readers(allowed, "the similarities between users", observer);
        if data.known == data.rows || matches!(of_fit, Err(FitError::Interrupted { .. })) {
            return of_fit;
        }
        let known = Csr::by_user(data.interactions, data.known);
        let reading = Comparing { readers: &known, ..*self };
        let what = "the similarities between users, by all that is read of them at the test,";
        let of_reading = reading.check_readers(allowed, what, observer);
        both(of_fit, of_reading)
    }

    fn check_readers(&self, allowed: u64, what: &'static str, observer: &mut dyn FitObserver) -> Result<(), FitError> {
        let count = |reader| self.similar(&mut self.lend(), reader).len();
        self.pairs().check(count, Keeping::ALL, allowed, (what, REMEDY), observer)
    }

    const fn pairs(&self) -> Pairs<'_> {
        Pairs { rows: self.readers, columns: self.by_item }
    }
}
