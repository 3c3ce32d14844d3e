//! What surrounds the computation: data in, messages between neighbours, the update at the end.

use super::Instruction;

/// The whole list of a rank: each pass with what it needs before it and what others need of it right after it.
pub(super) fn complete(order: &[Instruction], ranks: usize, rank: usize, chunks: usize) -> Vec<Instruction> {
    let last = ranks * chunks - 1;
    let mut list = Vec::with_capacity(3 * order.len() + 2);
    for &step in order {
        let Some(cell) = step.cell() else { continue };
        let stage = cell.chunk * ranks + rank;
        match step {
            Instruction::Forward(_) => {
                if stage == 0 || stage == last {
                    list.push(Instruction::LoadMicroBatch(cell));
                }
                if stage > 0 {
                    list.push(Instruction::RecvActivation(cell));
                }
                list.push(step);
                if stage < last {
                    list.push(Instruction::SendActivation(cell));
                }
            }
            Instruction::Backward(_) | Instruction::BackwardInput(_) => {
                if stage < last {
                    list.push(Instruction::RecvGradient(cell));
                }
                list.push(step);
                if stage > 0 {
                    list.push(Instruction::SendGradient(cell));
                }
            }
            _ => list.push(step),
        }
    }
    list.push(Instruction::ReduceGradients);
    list.push(Instruction::OptimizerStep);
    list
}
