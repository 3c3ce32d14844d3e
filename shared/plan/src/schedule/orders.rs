//! In which order a rank computes. Messages come later.

use super::{Cell, Instruction};

/// All forward passes, then all backward passes. The backward passes begin with the first micro-batch, so that gradients
/// are added up in the order of every other schedule: the sums agree to the last bit, where the stages are the same.
pub(super) fn gpipe(micro_batches: usize) -> Vec<Instruction> {
    let cells = || (0..micro_batches).map(|micro_batch| Cell { chunk: 0, micro_batch });
    cells().map(Instruction::Forward).chain(cells().map(Instruction::Backward)).collect()
}

/// 1F1B over `chunks` chunks; with one chunk it is plain 1F1B.
///
/// The forward passes go through the micro-batches in groups of `ranks`, chunk by chunk, and the backward passes through the
/// same groups from the last chunk to the first; a rank begins the backward passes after a warm-up that is longer the
/// nearer it is to the first stage. Where `ranks` does not divide the micro-batches, the order is that of the next number
/// that it divides, without the passes of micro-batches that are not there: leaving out whole micro-batches takes away
/// nothing that another pass waits for, so it cannot block either.
pub(super) fn interleaved(ranks: usize, rank: usize, micro_batches: usize, chunks: usize) -> Vec<Instruction> {
    let passes = micro_batches.next_multiple_of(ranks) * chunks;
    let cell = |pass: usize, backwards: bool| {
        let (group, place) = (pass / (ranks * chunks), pass % (ranks * chunks));
        let chunk = if backwards { chunks - 1 - place / ranks } else { place / ranks };
        Cell { chunk, micro_batch: group * ranks + place % ranks }
    };
    let forward = |pass| Instruction::Forward(cell(pass, false));
    let backward = |pass| Instruction::Backward(cell(pass, true));

    let after = ranks - rank - 1;
    let warm_up = if chunks == 1 { after } else { 2 * after + (chunks - 1) * ranks }.min(passes);
    let mut order = Vec::with_capacity(2 * passes);
    order.extend((0..warm_up).map(forward));
    for pass in 0..passes - warm_up {
        order.push(forward(warm_up + pass));
        order.push(backward(pass));
    }
    order.extend((passes - warm_up..passes).map(backward));
    order.retain(|step| step.cell().is_some_and(|cell| cell.micro_batch < micro_batches));
    order
}

/// 1F1B with the backward pass in two parts: the gradient of the input at once, that of the parameters as many
/// micro-batches later as there are ranks before this one, in what would be the bubble. No rank holds more than the first
/// rank of 1F1B does.
pub(super) fn zero_bubble_h1(ranks: usize, rank: usize, micro_batches: usize) -> Vec<Instruction> {
    let cell = |micro_batch| Cell { chunk: 0, micro_batch };
    let warm_up = (ranks - rank).min(micro_batches);
    let mut order = Vec::with_capacity(3 * micro_batches);
    order.extend((0..warm_up).map(|index| Instruction::Forward(cell(index))));
    let mut weights = 0;
    for index in 0..micro_batches {
        order.push(Instruction::BackwardInput(cell(index)));
        if index + 1 - weights > rank {
            order.push(Instruction::BackwardWeight(cell(weights)));
            weights += 1;
        }
        if warm_up + index < micro_batches {
            order.push(Instruction::Forward(cell(warm_up + index)));
        }
    }
    order.extend((weights..micro_batches).map(|index| Instruction::BackwardWeight(cell(index))));
    order
}
