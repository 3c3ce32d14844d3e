//! The nearest setup that works, for one that does not.

use recspeed_plan::PlanError;

use super::setup::{Cut, Refusal, Setup};
use crate::charts::counted;

/// A setup that is planned, and what it changes, in words for a button; `None` where only the reader can tell.
pub(crate) fn nearest(setup: &Setup, refusal: &Refusal) -> Option<(String, Setup)> {
    let mut new = setup.clone();
    let words = match refusal {
        Refusal::Widths(_) => return None,
        Refusal::TooLarge { .. } => {
            while new.plan().is_err_and(|refusal| matches!(refusal, Refusal::TooLarge { .. })) && new.micro_batches > 1
            {
                new.micro_batches /= 2;
            }
            used(new.micro_batches, "micro-batch")
        }
        Refusal::Plan(error) => match error {
            PlanError::MoreStagesThanLayers { layers, .. } => {
                if new.chunks > *layers {
                    new.choose_schedule("1f1b");
                }
                let ranks = (layers / new.chunks).max(1);
                new.reshape(|setup| setup.ranks = setup.ranks.min(ranks));
                used(new.ranks, "rank")
            }
            PlanError::BatchTooSmall { batch, .. } => {
                new.micro_batches = *batch;
                used(*batch, "micro-batch")
            }
            PlanError::Chunks { .. } => {
                new.reshape(|setup| setup.schedule = "interleaved");
                "Use the interleaved schedule".to_owned()
            }
            PlanError::BalanceCount { .. } | PlanError::BalanceStages { .. } | PlanError::EmptyStage { .. } => {
                new.cut = Cut::Time;
                "Balance the stages by time".to_owned()
            }
            _ => return None,
        },
    };
    // What is wrong in two ways is mended in two steps, under one button.
    match new.plan() {
        Ok(_) => Some((words, new)),
        Err(refusal) if new != *setup => nearest(&new, &refusal).map(|(more, new)| (format!("{words}; {more}"), new)),
        Err(_) => None,
    }
}

/// What the button says that sets a number.
fn used(n: usize, one: &str) -> String {
    format!("Use {}", counted(n as u64, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(setup: &Setup) -> (String, Setup) {
        let refusal = setup.plan().expect_err("it is impossible");
        let (words, new) = nearest(setup, &refusal).unwrap_or_else(|| panic!("{refusal} has no nearest"));
        assert!(new.plan().is_ok(), "{words}");
        (words, new)
    }

    #[test]
    fn more_stages_than_layers_become_as_many_as_there_are() {
        let setup = Setup { model: "mlp", depth: 3, ranks: 8, ..Setup::default() };
        assert_eq!(mended(&setup).1.ranks, 4);
        let setup = Setup { schedule: "interleaved", chunks: 2, ..setup };
        assert_eq!(mended(&setup).1.ranks, 2);
        let setup = Setup { chunks: 8, ..setup };
        assert_eq!((mended(&setup).1.ranks, mended(&setup).1.chunks), (4, 1));
    }

    #[test]
    fn a_batch_that_is_too_small_gets_as_many_micro_batches_as_samples() {
        let setup = Setup { batch: 6, micro_batches: 8, ..Setup::default() };
        assert_eq!(mended(&setup), ("Use 6 micro-batches".to_owned(), Setup { micro_batches: 6, ..setup }));
    }

    #[test]
    fn a_single_layer_gets_one_rank_and_no_plural() {
        let setup = Setup { model: "layers", widths: "3, 1".to_owned(), ranks: 2, ..Setup::default() };
        assert_eq!((mended(&setup).0.as_str(), mended(&setup).1.ranks), ("Use 1 rank", 1));
    }

    #[test]
    fn borders_of_another_model_are_drawn_again() {
        for counts in [vec![1, 2, 3, 4], vec![150, 1], vec![150, 1, 0, 0]] {
            let setup = Setup { cut: Cut::ByHand(counts), ..Setup::default() };
            assert_eq!(mended(&setup).1.cut, Cut::Time);
        }
    }

    #[test]
    fn chunks_of_another_schedule_and_two_mistakes_at_once_are_mended() {
        let setup = Setup { chunks: 2, ..Setup::default() };
        assert_eq!(mended(&setup).1.schedule, "interleaved");
        let setup = Setup { model: "mlp", depth: 3, ranks: 8, batch: 4, ..Setup::default() };
        let (words, new) = mended(&setup);
        assert_eq!((new.ranks, new.micro_batches), (4, 4), "{words}");
    }

    #[test]
    fn too_much_to_draw_becomes_less() {
        let setup = Setup { ranks: 32, micro_batches: 256, chunks: 4, schedule: "interleaved", ..Setup::default() };
        assert_eq!(mended(&setup).1.micro_batches, 64);
    }
}
