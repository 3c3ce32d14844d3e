//! What one step of a network of attention holds beside its layers: rows of items that are looked up, their scores, and what comes back by
//! them. Its layers are counted in `attention.rs`; ranks divide these, while the scores belong to the process.
//!
//! Counted as for the other networks of sequences (`whole/batch.rs`), with the same copies.

use recspeed_types::Extent;
use recspeed_types::spec::{Device, Loss, ResolvedSpec, Training};

use crate::blocks;
use crate::spec::blocks_of;
use crate::whole::batch::{
    IN_AND_OUT, LANES, OF_A_DRAWN_SCORE, OF_A_QUESTION, OF_A_ROW, OF_A_SCORE, OF_A_SCORED_ROW, ONE_ROW,
};

/// Bytes of a number.
const NUMBER: u64 = 4;
/// Shares of attention of a head that a block keeps: as `attention.rs` counts them.
const SHARES: u64 = 4;
/// Larger buffers go back to the system as soon as they are free; of smaller ones the allocator keeps some.
pub(crate) const LARGEST_KEPT: u64 = 32 << 20;

/// Buffers of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buffers {
    /// Bytes of one, for a row of the batch.
    pub of_a_row: u64,
    /// How many there are at once.
    pub count: u64,
}

impl Buffers {
    /// Bytes that go back to the system before anybody is evaluated: all, where one is large enough.
    const fn returned(self, rows: u64) -> u64 {
        let one = self.of_a_row.saturating_mul(rows);
        if one > LARGEST_KEPT { one.saturating_mul(self.count) } else { 0 }
    }
}

/// Bytes of a step beside the layers of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepNeeds {
    /// However large a batch is.
    pub fixed: u64,
    /// Of each row of a batch.
    pub of_a_row: u64,
    /// Of that, the rows of items that are scored.
    pub scored: Buffers,
    /// Shares of attention, which the layers count.
    pub shares: Buffers,
    /// Whether a judgement reads the histories again that the steps have read, by the same layers.
    pub reads_again: bool,
}

impl StepNeeds {
    /// Of the network of a spec on data of this size, whose longest history has so many items, where that is known, and of whose slots a
    /// batch fills this share; nothing of networks that score no items by vectors.
    pub(crate) fn of_spec(spec: &ResolvedSpec, data: &Extent, (filled, longest): (f64, Option<u64>)) -> Self {
        let (recommender, Some(training)) = (&spec.recommender, spec.training.as_ref()) else {
            return Self::default();
        };
        if recommender.entry.kind != "sasrec" {
            return Self::default();
        }
        let network = blocks_of(recommender).within(longest);
        let slots = share_of(network.rows().width, filled);
        let [drawn, shared] = ["negatives", "shared_by"].map(|name| recommender.integer(name).max(0) as u64);
        let shares = Buffers {
            of_a_row: NUMBER * slots * network.heads * network.rows().scored,
            count: SHARES * network.blocks,
        };
        let read_and_asked = NUMBER * slots * network.d * (OF_A_ROW + OF_A_QUESTION);
        let scores = Scores { d: network.d, slots, drawn: drawn.max(1), shared };
        let of = scores.of(training, spec.engine.device, data.items);
        Self { of_a_row: of.of_a_row.saturating_add(read_and_asked), shares, reads_again: true, ..of }
    }

    /// Bytes of a step with so many rows.
    pub const fn bytes(&self, rows: u64) -> u64 {
        self.fixed.saturating_add(self.of_a_row.saturating_mul(rows))
    }

    /// Bytes that the system has back of so many rows that are computed together before anybody is evaluated: what the evaluation takes is
    /// not on top of these.
    pub const fn returned(&self, rows: u64) -> u64 {
        self.scored.returned(rows).saturating_add(self.shares.returned(rows))
    }
}

/// What the slots of a sequence are scored against.
struct Scores {
    d: u64,
    slots: u64,
    drawn: u64,
    shared: u64,
}

impl Scores {
    fn of(&self, training: &Training, device: Device, items: u64) -> StepNeeds {
        let &Self { d, slots, drawn, shared } = self;
        let vectors = NUMBER * d;
        let copies = OF_A_SCORED_ROW + ONE_ROW;
        if training.loss != Loss::CrossEntropy {
            // Those that the whole batch shares are there once, however many rows it has.
            let (of_a_group, of_all) = if shared == 0 { (0, drawn) } else { ((slots * drawn).div_ceil(shared), 0) };
            let scored = vectors * (slots + of_a_group);
            return StepNeeds {
                fixed: copies * vectors * of_all,
                of_a_row: copies * scored + NUMBER * OF_A_DRAWN_SCORE * slots * (1 + drawn),
                scored: Buffers { of_a_row: scored, count: copies },
                ..StepNeeds::default()
            };
        }
        let all = copies * vectors * items;
        if matches!(device, Device::Flex | Device::Browser) {
            let asked = u64::from(training.batch_size) * slots;
            let part = (blocks::LANE_SCORES as u64).max(items).min(asked.saturating_mul(items));
            let lanes = NUMBER * (LANES * (items * d + part) + IN_AND_OUT * items * d);
            return StepNeeds { fixed: all + lanes, ..StepNeeds::default() };
        }
        StepNeeds { fixed: all, of_a_row: NUMBER * OF_A_SCORE * slots * items, ..StepNeeds::default() }
    }
}

/// This share of so many, rounded up.
pub(crate) fn share_of(whole: u64, share: f64) -> u64 {
    // Of a share that is none, all.
    if (0.0..1.0).contains(&share) { (whole as f64 * share).ceil() as u64 } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Assumed, Outlook, ProcessNeeds, Strategy, of_spec};
    use recspeed_types::ExperimentSpec;

    fn spec(recommender: &str, training: &str) -> ResolvedSpec {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n\
             [training]\n{training}\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
        );
        ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap_or_else(|errors| panic!("{text}\n{errors}"))
    }

    /// Users and items of `MovieLens` 100K.
    fn data() -> Extent {
        Extent::of_ids(943, 1682)
    }

    #[test]
    fn drawn_items_are_counted_by_groups_and_so_are_their_scores() {
        let of = |recommender: &str, filled| {
            StepNeeds::of_spec(&spec(&format!("kind = \"sasrec\"\n{recommender}"), ""), &data(), (filled, None))
        };
        let whole = of("", 1.0);
        // 50 slots, and 256 items for every 16 of them, of 64 numbers.
        assert_eq!(whole.scored, Buffers { of_a_row: 4 * 64 * (50 + 800), count: 3 });
        assert_eq!(whole.of_a_row, 3 * 4 * 64 * 850 + 4 * 5 * 50 * 257 + 4 * 50 * 64 * 10);
        assert_eq!((whole.fixed, whole.bytes(128)), (0, 128 * whole.of_a_row));
        let half = of("", 0.5);
        assert!(half.of_a_row <= whole.of_a_row / 2 + 4096, "{half:?} {whole:?}");
        // Shared by the whole batch, they are there once.
        let once = of("shared_by = 0", 1.0);
        assert_eq!((once.fixed, once.scored.of_a_row), (3 * 4 * 64 * 256, 4 * 64 * 50));
    }

    #[test]
    fn all_items_are_scored_once_in_the_cache_and_by_blocks_elsewhere() {
        let of = |items: u64| {
            let spec = spec("kind = \"sasrec\"", "loss = \"cross-entropy\"");
            StepNeeds::of_spec(&spec, &Extent::of_ids(943, items), (1.0, None))
        };
        let (few, many) = (of(1000), of(100_000));
        assert!(few.fixed < many.fixed);
        assert_eq!(few.of_a_row, many.of_a_row, "scores of the lanes do not grow with the batch");
    }

    #[test]
    fn buffers_of_small_micro_batches_are_not_given_back_however_large_the_batch_is() {
        let evaluation = |micro_batches: u32| {
            let strategy = format!(
                "batch_size = 512\n[strategy]\nkind = \"pipeline\"\nstages = 1\nmicro_batches = {micro_batches}"
            );
            let asked = spec("kind = \"sasrec\"", &strategy);
            let plan = of_spec(&asked, Assumed::threads(1.0).on(Some(data()))).unwrap();
            let needs = ProcessNeeds { evaluation: 4 << 30, scoring: 3 << 30, scorers: 1 << 20, ..plan.needs };
            let plan = Strategy { needs, ..plan };
            Outlook::of(&plan).unwrap().process(&plan).evaluation
        };
        // 512 rows of scored vectors are 106 MiB, and 32 of them 7.
        assert!(evaluation(16) > evaluation(1), "{} {}", evaluation(16), evaluation(1));
        assert!(evaluation(16) > (4 << 30) - (8 << 20), "{}", evaluation(16));
    }

    #[test]
    fn only_large_buffers_are_given_back_before_an_evaluation() {
        let needs = StepNeeds::of_spec(&spec("kind = \"sasrec\"", ""), &data(), (1.0, None));
        let one = |rows: u64| 4 * 64 * 850 * rows;
        assert!(one(128) < LARGEST_KEPT && one(256) > LARGEST_KEPT);
        assert_eq!((needs.returned(128), needs.returned(256)), (0, 3 * one(256)));
        let other = spec("kind = \"mlp\"", "");
        assert_eq!(StepNeeds::of_spec(&other, &data(), (1.0, None)), StepNeeds::default());
    }
}
