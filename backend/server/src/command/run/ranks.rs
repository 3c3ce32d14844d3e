//! What the ranks of a training held, sent and waited for, beside what was planned of it.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use recspeed_plan::pace::GFLOPS;
use recspeed_plan::timeline::{Told, Waits, bubble_of, first_step, marks_of_step};
use recspeed_plan::{Assumed, Layout, Outlook, RankOutlook, of_spec, words};
use recspeed_types::event::Sent;
use recspeed_types::spec::TableSharding;
use recspeed_types::{ExperimentSpec, RunEvent};

use super::super::figures::{bytes, percent, seconds};

/// What ranks have told.
pub(super) struct Ranks<'a> {
    /// The most bytes of each, by its own ledger.
    pub(super) held: &'a BTreeMap<u32, u64>,
    /// What each sent in the steps that are told, or in all where none is.
    pub(super) sent: &'a BTreeMap<u32, Sent>,
    /// When they did what.
    pub(super) spans: &'a [RunEvent],
}

impl Ranks<'_> {
    /// A row for each rank, and the bubble; `None` where one device did everything.
    pub(super) fn as_text(&self, spec: &ExperimentSpec) -> Option<String> {
        if self.sent.is_empty() {
            return None;
        }
        // The run has resolved it.
        let spec = spec.resolve().ok()?;
        let strategy = &spec.strategy;
        let layout = Layout::new(strategy.ranks as usize, strategy.stages as usize, strategy.tensor as usize).ok()?;
        let outlook = of_spec(&spec, Assumed::threads(GFLOPS)).and_then(|plan| Outlook::of(&plan).ok());
        let planned = |rank: u32| outlook.as_ref()?.ranks.get(layout.place(rank as usize).stage);
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
            "rank",
            "held, planned",
            "held",
            "sent a step, planned",
            "sent a step",
            "waited a step",
        ]);
        let or_none = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), bytes);
        for (&rank, sent) in self.sent {
            let held = |of: &RankOutlook| of.peak() + of.shares.host;
            table.add_row([
                rank.to_string(),
                or_none(planned(rank).map(held)),
                or_none(self.held.get(&rank).copied()),
                or_none(planned(rank).map(RankOutlook::sent)),
                bytes(sent.bytes_per_step()),
                seconds(sent.waited_per_step_us() as f64 / 1e6),
            ]);
        }
        for column in table.column_iter_mut() {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let told = Told::of_events(self.spans);
        let bars = first_step(told.bars);
        // Ranks that are no pipeline fill and drain none: what they wait for each other is told as such.
        let measured = if strategy.stages > 1 { bubble_of(&bars) } else { None };
        let waited = words::waited(&Waits::of(&bars, &marks_of_step(&told.marks, &bars)));
        let waited = waited.map(|waited| format!("{waited}\n")).unwrap_or_default();
        let bubble = measured.zip(outlook.as_ref()).map(|(measured, outlook)| {
            let planned = percent(outlook.simulation.bubble());
            format!("Bubble of the pipeline {planned} planned, {} measured.\n", percent(measured))
        });
        let tables = if TableSharding::suits(spec.recommender.entry.kind) {
            "Tables of embeddings are in what was measured, and not in what was planned: `recspeed plan` counts them.\n"
        } else {
            ""
        };
        Some(format!("Ranks\n{table}\n{}{waited}{tables}", bubble.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::{EventKind, RunId};

    use super::*;

    fn spec(recommender: &str, metric: &str) -> ExperimentSpec {
        let pipeline = "kind = \"pipeline\"\nschedule = \"gpipe\"";
        spec_with(recommender, metric, pipeline)
    }

    fn spec_with(recommender: &str, metric: &str, strategy: &str) -> ExperimentSpec {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"{recommender}\"\n\
             [training]\nbatch_size = 64\n[evaluation]\nmetrics = [\"{metric}\"]\n[strategy]\n{strategy}\n"
        );
        ExperimentSpec::from_toml(&text).unwrap()
    }

    /// What two ranks held, sent and did.
    fn told() -> (BTreeMap<u32, u64>, BTreeMap<u32, Sent>, [RunEvent; 4]) {
        let held = BTreeMap::from([(0, 2048), (1, 4096)]);
        let sent = |bytes| Sent { steps: 4, bytes, messages: 24, waited_us: 8000 };
        // Four micro-batches of 16 rows, of 64 numbers each, and what ranks agree on a step by.
        let sent = BTreeMap::from([(0, sent(4 * 16_400)), (1, sent(4 * 16_400))]);
        let spans = [(0, "F0", 0), (1, "F0", 10), (1, "B0", 20), (0, "B0", 30)].map(|(rank, name, start_us)| {
            let (lane, name) = ("0".to_owned(), name.to_owned());
            let waited_us = if name == "B0" { 3 } else { 0 };
            let kind =
                EventKind::Span { rank, lane, name, start_us, duration_us: 10, bytes: 0, waited_us, exchange: None };
            RunEvent { run: RunId::new("r").unwrap(), seq: 0, at_us: 0, kind }
        });
        (held, sent, spans)
    }

    #[test]
    fn each_rank_has_what_was_planned_beside_what_was_measured() {
        let (held, sent, spans) = told();
        let ranks = Ranks { held: &held, sent: &sent, spans: &spans };
        let text = ranks.as_text(&spec("mlp", "rmse")).unwrap();
        for said in
            ["2.0 KiB", "4.0 KiB", "16.0 KiB", "2 ms", "planned, 100.0 % measured.", "backward 30 % of its time."]
        {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("Tables"), "{text}");
        let text = ranks.as_text(&spec("dlrm", "ndcg@10")).unwrap();
        assert!(text.contains("Tables of embeddings are in what was measured"), "{text}");
        assert_eq!(Ranks { sent: &BTreeMap::new(), ..ranks }.as_text(&spec("mlp", "rmse")), None);
    }

    #[test]
    fn ranks_that_are_no_pipeline_have_no_bubble() {
        let (held, sent, spans) = told();
        let ranks = Ranks { held: &held, sent: &sent, spans: &spans };
        for strategy in ["kind = \"data-parallel\"\nranks = 2", "kind = \"zero\"\nranks = 2"] {
            let text = ranks.as_text(&spec_with("mlp", "rmse", strategy)).unwrap();
            assert!(!text.contains("Bubble") && text.contains("backward 30 % of its time."), "{strategy}: {text}");
        }
    }
}
