//! What ranks that share layers bring together: sums are formed in the order of ranks, the same bits on all of them.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use recspeed_plan::Collective;

use crate::model::{Sum, part_of};
use crate::training::error::TrainError;
use crate::training::ledger::Account;
use crate::training::meter::Meter;
use crate::training::stage::{Number, bytes, numbers};
use crate::{CommError, Communicator, Transport};

/// The sum of what each rank has of a layer; whole, or its own rows of it.
pub(super) async fn summed<T: Transport, F: Number>(
    sharers: &Communicator<T>,
    own: Tensor<2>,
    (layer, sum): (usize, Sum),
    meter: &mut Meter,
) -> Result<Tensor<2>, TrainError> {
    if sharers.ranks() == 1 {
        return Ok(own);
    }
    let ([rows, columns], device) = (own.dims(), own.device());
    let mut terms = numbers::<F, 2>(&own);
    let exchange = async {
        match sum {
            Sum::Whole => sharers.all_reduce(&mut terms).await.map(|()| terms),
            Sum::Own => {
                let parts = rows_of(sharers, rows).into_iter().map(|part| part.start * columns..part.end * columns);
                sharers.reduce_scatter_parts(&terms, &parts.collect::<Vec<_>>()).await
            }
        }
    };
    let collective = match sum {
        Sum::Whole => Collective::AllReduce,
        Sum::Own => Collective::ReduceScatter,
    };
    let sum = metered(sharers, exchange, (collective, layer), bytes::<F>(rows * columns), meter).await?;
    let rows = sum.len() / columns.max(1);
    Ok(Tensor::from_data(TensorData::new(sum, [rows, columns]), &device))
}

/// Of so many rows of a layer, of which each rank has its own, all.
pub(super) async fn gathered<T: Transport, F: Number>(
    sharers: &Communicator<T>,
    own: &Tensor<2>,
    (layer, rows): (usize, usize),
    meter: &mut Meter,
) -> Result<Tensor<2>, TrainError> {
    let ([_, columns], device) = (own.dims(), own.device());
    let lengths: Vec<usize> = rows_of(sharers, rows).into_iter().map(|part| part.len() * columns).collect();
    let own = numbers::<F, 2>(own);
    let exchange = sharers.all_gather_parts(&own, &lengths);
    let all = metered(sharers, exchange, (Collective::AllGather, layer), bytes::<F>(rows * columns), meter).await?;
    Ok(Tensor::from_data(TensorData::new(all, [rows, columns]), &device))
}

/// The rows of each rank.
fn rows_of<T: Transport>(sharers: &Communicator<T>, rows: usize) -> Vec<Range<usize>> {
    (0..sharers.ranks()).map(|rank| part_of(rows, rank, sharers.ranks())).collect()
}

/// An exchange of a layer, with its buffer on the ledger and what it sends in the traffic.
async fn metered<T: Transport, R>(
    sharers: &Communicator<T>,
    exchange: impl Future<Output = Result<R, CommError>>,
    (collective, layer): (Collective, usize),
    bytes: u64,
    meter: &mut Meter,
) -> Result<R, TrainError> {
    meter.ledger.take(Account::Transient, bytes);
    let begun = meter.begin_exchange(sharers);
    let result = exchange.await?;
    meter.traffic.shared += meter.end_exchange(begun, (collective, Some(layer)), sharers);
    meter.ledger.give_back(Account::Transient, bytes);
    Ok(result)
}
