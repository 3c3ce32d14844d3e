//! What all ranks of a group do together: everybody calls the same operations in the same order.
//!
//! Every operation sends a part from each rank to each other rank directly, and sums are formed in the order of ranks by
//! whoever owns the part. A rank sends (N − 1)/N of the data a phase, as rings do, and the bits do not depend on who was
//! quicker.

use std::ops::Range;

use crate::{CommError, Communicator, Element, Message, Tag, Transport};

impl<T: Transport> Communicator<T> {
    /// Adds up the vectors of all ranks; every rank gets the whole sum, the same bits.
    ///
    /// # Errors
    /// [`CommError`], also where another rank's vector has another length.
    pub async fn all_reduce<E: Element>(&self, numbers: &mut [E]) -> Result<(), CommError> {
        if self.ranks() == 1 {
            return Ok(());
        }
        let part = self.reduce_scatter(numbers).await?;
        let len = numbers.len().div_ceil(self.ranks());
        let mut padded = part;
        padded.resize(len, E::default());
        let all = self.all_gather(&padded).await?;
        let whole = numbers.len();
        numbers.copy_from_slice(&all[..whole]);
        Ok(())
    }

    /// Adds up the vectors of all ranks; every rank gets its part of the sum: of N ranks over n numbers, rank r those from
    /// r · ⌈n/N⌉ on, ⌈n/N⌉ of them or what is left.
    ///
    /// # Errors
    /// [`CommError`], also where another rank's vector has another length.
    pub async fn reduce_scatter<E: Element>(&self, numbers: &[E]) -> Result<Vec<E>, CommError> {
        let parts: Vec<Range<usize>> = (0..self.ranks()).map(|rank| self.part(rank, numbers.len())).collect();
        self.reduce_scatter_parts(numbers, &parts).await
    }

    /// Adds up the vectors of all ranks; rank r gets part `parts[r]` of the sum. All ranks name the same parts, some of which may
    /// be empty: to and from those nothing is sent.
    ///
    /// # Errors
    /// [`CommError`], also where another rank's part has another length.
    pub async fn reduce_scatter_parts<E: Element>(
        &self,
        numbers: &[E],
        parts: &[Range<usize>],
    ) -> Result<Vec<E>, CommError> {
        let tag = self.next("reduce-scatter");
        for to in self.others().filter(|&to| !parts[to].is_empty()) {
            self.send(to, tag, &numbers[parts[to].clone()]).await?;
        }
        let own = parts[self.rank()].clone();
        let mut sum: Option<Vec<E>> = None;
        for from in (0..self.ranks()).filter(|_| !own.is_empty()) {
            let term = if from == self.rank() {
                numbers[own.clone()].to_vec()
            } else {
                self.recv_exactly(from, tag, own.len()).await?
            };
            match &mut sum {
                None => sum = Some(term),
                Some(sum) => sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += term),
            }
        }
        Ok(sum.unwrap_or_default())
    }

    /// Every rank gets the vectors of all ranks, one after the other; all have the same length.
    ///
    /// # Errors
    /// [`CommError`], also where another rank's vector has another length.
    pub async fn all_gather<E: Element>(&self, own: &[E]) -> Result<Vec<E>, CommError> {
        self.all_gather_parts(own, &vec![own.len(); self.ranks()]).await
    }

    /// Every rank gets the vectors of all ranks, one after the other; that of rank r has `lengths[r]` numbers. All ranks name the
    /// same lengths; what is empty is not sent.
    ///
    /// # Errors
    /// [`CommError`], also where another rank's vector has another length.
    pub async fn all_gather_parts<E: Element>(&self, own: &[E], lengths: &[usize]) -> Result<Vec<E>, CommError> {
        let tag = self.next("all-gather");
        for to in self.others().filter(|_| !own.is_empty()) {
            self.send(to, tag, own).await?;
        }
        let mut all = Vec::with_capacity(lengths.iter().sum());
        for (from, &length) in lengths.iter().enumerate() {
            if from == self.rank() {
                all.extend_from_slice(own);
            } else if length > 0 {
                all.extend(self.recv_exactly::<E>(from, tag, length).await?);
            }
        }
        Ok(all)
    }

    /// `root` takes the vector of each rank with its number, in the order of ranks; that of rank r has `lengths[r]` numbers. All ranks
    /// name the same lengths; what is empty is not sent.
    ///
    /// # Errors
    /// [`CommError`], also where another rank's vector has another length.
    pub async fn gather_each<E: Element>(
        &self,
        root: usize,
        own: &[E],
        lengths: &[usize],
        mut take: impl FnMut(usize, &[E]),
    ) -> Result<(), CommError> {
        let tag = self.next("gather");
        if self.rank() != root {
            if !own.is_empty() {
                self.send(root, tag, own).await?;
            }
            return Ok(());
        }
        for (from, &length) in lengths.iter().enumerate() {
            if from == root {
                take(from, own);
            } else if length > 0 {
                take(from, &self.recv_exactly::<E>(from, tag, length).await?);
            }
        }
        Ok(())
    }

    /// `root` gets the vectors of all ranks, one after the other, the others nothing; that of rank r has `lengths[r]` numbers. All
    /// ranks name the same lengths; what is empty is not sent.
    ///
    /// # Errors
    /// [`CommError`], also where another rank's vector has another length.
    pub async fn gather_parts<E: Element>(
        &self,
        root: usize,
        own: &[E],
        lengths: &[usize],
    ) -> Result<Vec<E>, CommError> {
        let mut all = Vec::with_capacity(if self.rank() == root { lengths.iter().sum() } else { 0 });
        self.gather_each(root, own, lengths, |_, part| all.extend_from_slice(part)).await?;
        Ok(all)
    }

    /// Every rank gets `root`'s numbers.
    ///
    /// # Errors
    /// [`CommError`], also where this rank's vector has another length than the root's.
    pub async fn broadcast<E: Element>(&self, root: usize, numbers: &mut [E]) -> Result<(), CommError> {
        let tag = self.next("broadcast");
        if self.rank() == root {
            for to in self.others() {
                self.send(to, tag, numbers).await?;
            }
        } else {
            let received = self.recv_exactly(root, tag, numbers.len()).await?;
            numbers.copy_from_slice(&received);
        }
        Ok(())
    }

    /// Every rank gets a number that `root` has worked on alone, which they wait for [`LEISURE`](crate::LEISURE) times as long as for
    /// others.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn broadcast_at_leisure<E: Element>(&self, root: usize, number: E) -> Result<E, CommError> {
        let tag = self.next("verdict");
        if self.rank() == root {
            for to in self.others() {
                self.send(to, tag, &[number]).await?;
            }
            return Ok(number);
        }
        let received = self.recv_at_leisure::<E>(root, tag).await?;
        received.first().copied().ok_or_else(|| self.wrong_length(root, tag, 0, size_of::<E>()))
    }

    /// Goes on when every rank has come here.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn barrier(&self) -> Result<(), CommError> {
        let tag = self.next("barrier");
        for to in self.others() {
            self.send_message(to, tag, Message::from_elems(Vec::<u8>::new())).await?;
        }
        for from in self.others() {
            self.recv_message(from, tag).await?;
        }
        Ok(())
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<T> {
        let own = self.rank();
        (0..self.ranks()).filter(move |&rank| rank != own)
    }

    fn part(&self, rank: usize, len: usize) -> Range<usize> {
        let part = len.div_ceil(self.ranks());
        (rank * part).min(len)..((rank + 1) * part).min(len)
    }

    pub(crate) fn next(&self, about: &'static str) -> Tag {
        let mut number = self.collectives.borrow_mut();
        *number += 1;
        Tag::new(about, *number)
    }
}
