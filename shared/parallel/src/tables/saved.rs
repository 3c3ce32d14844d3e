//! Whole tables: what a training begins with, and what it leaves.

use std::borrow::Cow;

use super::Tables;
use super::held::Part;
use crate::{CommError, Communicator, Transport};

/// All tables, whatever the placement: another one can go on from them.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedTables<'a> {
    /// For each table `[rows × width]`.
    pub numbers: Vec<Cow<'a, [f32]>>,
    /// Both moments of each table, as `numbers`; `None` for rules without, and before anything was saved.
    pub moments: Option<[Vec<Cow<'a, [f32]>>; 2]>,
}

/// What is saved of a part, by kind.
type Kind = fn(&Part) -> &[f32];

const KINDS: [Kind; 3] = [
    |part| &part.numbers,
    |part| part.moments.as_ref().map_or(&[], |moments| &moments[0]),
    |part| part.moments.as_ref().map_or(&[], |moments| &moments[1]),
];

impl Tables {
    /// Whole tables and moments, on every rank.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn save<T: Transport>(&self, all: &Communicator<T>) -> Result<SavedTables<'static>, CommError> {
        let mut kinds = Vec::new();
        for kind in self.kinds() {
            kinds.push(self.joined(&all.all_gather_parts(&self.own(kind), &self.lengths_held()).await?));
        }
        Ok(saved(kinds))
    }

    /// Whole tables and moments, at the first rank; `None` at the others, which never hold more than their part for it.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn save_at_first<T: Transport>(
        &self,
        all: &Communicator<T>,
    ) -> Result<Option<SavedTables<'static>>, CommError> {
        let (numbers, moments) = (self.numbers_at_first(all).await?, self.moments_at_first(all).await?);
        let moments = moments.map(|both| both.map(cows));
        Ok(numbers.map(|numbers| SavedTables { numbers: cows(numbers), moments }))
    }

    /// Whole tables, `[rows × width]` each, at the first rank; `None` at the others.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn numbers_at_first<T: Transport>(
        &self,
        all: &Communicator<T>,
    ) -> Result<Option<Vec<Vec<f32>>>, CommError> {
        self.at_first(KINDS[0], all).await
    }

    /// Both moments of whole tables, at the first rank; `None` at the others, and for rules without.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn moments_at_first<T: Transport>(
        &self,
        all: &Communicator<T>,
    ) -> Result<Option<[Vec<Vec<f32>>; 2]>, CommError> {
        if self.kinds().count() == 1 {
            return Ok(None);
        }
        let (first, second) = (self.at_first(KINDS[1], all).await?, self.at_first(KINDS[2], all).await?);
        Ok(first.zip(second).map(|(first, second)| [first, second]))
    }

    async fn at_first<T: Transport>(
        &self,
        kind: Kind,
        all: &Communicator<T>,
    ) -> Result<Option<Vec<Vec<f32>>>, CommError> {
        let gathered = all.gather_parts(0, &self.own(kind), &self.lengths_held()).await?;
        Ok((self.rank == 0).then(|| self.joined(&gathered)))
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        let moments = self.parts.iter().any(|part| part.moments.is_some());
        KINDS.into_iter().take(if moments { 3 } else { 1 })
    }

    fn lengths_held(&self) -> Vec<usize> {
        (0..self.placement.ranks()).map(|rank| self.placement.elements(rank) as usize).collect()
    }
}

fn saved(kinds: Vec<Vec<Vec<f32>>>) -> SavedTables<'static> {
    let mut kinds = kinds.into_iter().map(cows);
    let numbers = kinds.next().unwrap_or_default();
    let moments = kinds.next().zip(kinds.next()).map(|(first, second)| [first, second]);
    SavedTables { numbers, moments }
}

fn cows(tables: Vec<Vec<f32>>) -> Vec<Cow<'static, [f32]>> {
    tables.into_iter().map(Cow::Owned).collect()
}
