//! What a stage has learnt: brought together from the shards of its replicas, and taken apart into them again.

use recspeed_plan::sharding::ShardLevel;

use super::{Learnt, Number, Own, Stage, bytes, held, numbers, of_stretches, tensor};
use crate::training::error::TrainError;
use crate::training::meter::Meter;
use crate::training::update::Moments;
use crate::{CommError, Communicator, Transport};

impl<F: Number> Stage<F> {
    /// All numbers of the stage, on every replica.
    pub(in crate::training) async fn gather<T: Transport>(
        &self,
        replicas: &Communicator<T>,
    ) -> Result<Vec<F>, CommError> {
        let own = numbers(&self.numbers);
        if self.lends() { self.row_of(&own, replicas).await } else { Ok(own) }
    }

    /// The whole row of which this is the replica's shard, on every replica.
    async fn row_of<T: Transport>(&self, own: &[F], replicas: &Communicator<T>) -> Result<Vec<F>, CommError> {
        let lengths = self.shard_lengths();
        let shards = replicas.all_gather_parts(own, &lengths).await?;
        let (mut row, mut rest) = (vec![F::default(); self.len()], shards.as_slice());
        for (rank, &length) in lengths.iter().enumerate() {
            let (shard, others) = rest.split_at(length);
            self.space.put(rank, shard, &mut row);
            rest = others;
        }
        Ok(row)
    }

    /// Steps that the moments have taken, and both moments of the whole stage, on every replica.
    pub(in crate::training) async fn gather_moments<T: Transport>(
        &self,
        replicas: &Communicator<T>,
    ) -> Result<[Vec<F>; 2], CommError> {
        let own = match &self.moments {
            Some(moments) => [numbers(&moments.moment_1), numbers(&moments.moment_2)],
            None => [Vec::new(), Vec::new()],
        };
        if self.level == ShardLevel::DataParallel {
            return Ok(own);
        }
        let [first, second] = own;
        Ok([self.row_of(&first, replicas).await?, self.row_of(&second, replicas).await?])
    }

    /// All numbers of the stage, or one of its moments, at the first replica; nothing at the others.
    pub(in crate::training) async fn collect<T: Transport>(
        &self,
        what: Learnt,
        replicas: &Communicator<T>,
    ) -> Result<Vec<F>, CommError> {
        let (own, divided_from) = match (what, &self.moments) {
            (Learnt::Numbers, _) => (Some(&self.numbers), ShardLevel::Parameters),
            (Learnt::FirstMoment, moments) => (moments.as_ref().map(|both| &both.moment_1), ShardLevel::Optimizer),
            (Learnt::SecondMoment, moments) => (moments.as_ref().map(|both| &both.moment_2), ShardLevel::Optimizer),
        };
        let divided = self.level >= divided_from;
        let own = own.filter(|_| divided || self.place == 0).map(numbers).unwrap_or_default();
        if !divided {
            return Ok(own);
        }
        // Each shard goes to its places as it comes: beside the row there is one of them.
        let mut row = vec![F::default(); if self.place == 0 { self.len() } else { 0 }];
        let place = |rank: usize, shard: &[F]| self.space.put(rank, shard, &mut row);
        replicas.gather_each(0, &own, &self.shard_lengths(), place).await?;
        Ok(row)
    }

    /// Takes its own of both moments, which have taken `time` steps; `start`: where the stage begins in the rank's row.
    pub(in crate::training) fn set_moments(
        &mut self,
        (start, time): (usize, usize),
        moments: [&Own<'_, F>; 2],
        meter: &mut Meter,
    ) -> Result<(), TrainError> {
        let held = held(&self.space, self.place, self.level > ShardLevel::DataParallel);
        let count: usize = held.iter().map(ExactSizeIterator::len).sum();
        if count == 0 {
            return Ok(());
        }
        meter.ledger.take(self.devices.account, 2 * bytes::<F>(count));
        let [first, second] = moments.map(|own| of_stretches(own, start, &held));
        let [first, second] = [first?, second?].map(|moment| tensor(moment, &self.devices.optimizer));
        self.moments = Some(Moments::new(time, first, second));
        Ok(())
    }
}
