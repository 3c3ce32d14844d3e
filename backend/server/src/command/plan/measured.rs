//! `recspeed plan FILE --lengths RUN`: passes as long as those of a run, and where the stages are best cut then.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use recspeed_plan::timeline::{Bar, Part, TRACE_HEAD, bars_of_events};
use recspeed_plan::words::time;
use recspeed_plan::{
    Assumed, Balance, EvenCut, Layout, Measured, MeasuredError, MeasuredStage, Outlook, PlanError, Strategy, of_spec,
};
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::{ExperimentSpec, RunId};
use serde_json::{Value, json};

use super::PlanArgs;
use super::of_spec::table;
use crate::command::failure::CommandError;
use crate::command::trace;

/// A run by whose passes nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasuredRunError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; name a timeline of `recspeed run --trace`, or a run of the lab", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no timeline of a run.
    #[error(
        "{} tells no passes of a run: with a spec --lengths takes the timeline that `recspeed run FILE --trace` has \
         written, or the number of a run of the lab",
        path.display()
    )]
    NoTimeline {
        /// The file.
        path: PathBuf,
    },
    /// It does not say which layers its passes were of.
    #[error(
        "{} does not say what its run was asked for, as timelines of the page and of earlier labs do not: take one that \
         `recspeed run FILE --trace` or `recspeed trace RUN` has written, or the number of a run of the lab",
        path.display()
    )]
    NoSpec {
        /// The file.
        path: PathBuf,
    },
    /// It is neither.
    #[error(
        "`{given}` is neither a file nor the number of a run: with a spec --lengths takes a run's number, as in its \
         address after /r/, or the timeline that `recspeed run FILE --trace` has written"
    )]
    NoRun {
        /// What was given.
        given: String,
    },
    /// Other layers.
    #[error("{whose} trained another network than this spec's: give the [recommender] of that run, or another run")]
    OtherNetwork {
        /// Which run.
        whose: String,
    },
    /// Its passes are not those of the spec.
    #[error("{whose} does not fit this plan: {source}")]
    Unfit {
        /// Whose passes.
        whose: String,
        /// Why not.
        source: MeasuredError,
    },
}

/// Parts of a time by which two cuts are no better than each other: sums of the same layers in another order differ by less.
const SAME: f64 = 1e-9;
/// Microseconds that no run lasts, over thirty years: a damaged timeline may tell of more.
const FOREVER_US: f64 = 1e15;

/// A run whose passes are known.
#[derive(Debug)]
pub(super) struct Run {
    /// In words.
    whose: String,
    measured: Measured,
}

impl Run {
    /// The one that the command line names: a run of the lab, or the file with the timeline of one; either by what it was asked for then,
    /// whatever is planned by it now.
    pub(super) fn of(
        named: &Path,
        args: &PlanArgs,
        spec: &ResolvedSpec,
        assumed: &Assumed,
    ) -> Result<Self, CommandError> {
        let (whose, ran, bars) = if named.is_file() {
            let (ran, bars) = told_by(named)?;
            (format!("the run of {}", named.display()), ran, bars)
        } else {
            let run = named.to_str().and_then(|text| RunId::new(text).ok());
            let run = run.ok_or_else(|| MeasuredRunError::NoRun { given: named.display().to_string() })?;
            let (record, spans) = trace::stored(args.home.clone(), &run)?;
            (format!("the run `{run}`"), record.spec, bars_of_events(&spans))
        };
        let ran = ran.resolve().ok().filter(|ran| ran.recommender == spec.recommender);
        let ran = ran.ok_or_else(|| MeasuredRunError::OtherNetwork { whose: whose.clone() })?;
        let kind = spec.recommender.entry.kind;
        let strategy = of_spec(&ran, assumed.clone()).ok_or(CommandError::NoLayers { kind })?;
        let outlook = Outlook::of(&strategy)?;
        let asked = &ran.strategy;
        let layout = Layout::new(asked.ranks as usize, asked.stages as usize, asked.tensor as usize)?;
        match Measured::of(&outlook, &bars, layout) {
            Ok(measured) => Ok(Self { whose, measured }),
            Err(source) => Err(MeasuredRunError::Unfit { whose, source }.into()),
        }
    }

    /// The strategy with layers as long as they were measured.
    pub(super) fn applied(&self, strategy: Strategy) -> Result<Strategy, PlanError> {
        Ok(Strategy { layers: self.measured.applied(&strategy.layers)?, ..strategy })
    }

    /// In words, for the sentence about times.
    pub(super) fn whose(&self) -> &str {
        &self.whose
    }
}

/// What follows of a run for a plan.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) run: Run,
    cut: EvenCut,
    /// Microseconds of a step of the plan, and of one that is cut so.
    steps_us: [f64; 2],
}

impl Timed {
    /// `strategy`: with the layers of this run ([`Run::applied`]).
    pub(super) fn of(run: Run, strategy: &Strategy, outlook: &Outlook) -> Result<Self, PlanError> {
        let cut = EvenCut::of(strategy, &outlook.partition)?;
        let even = Strategy { balance: Balance::ByHand(cut.partition.counts()), ..strategy.clone() };
        let steps_us = [outlook.simulation.total_us, Outlook::of(&even)?.simulation.total_us];
        Ok(Self { run, cut, steps_us })
    }

    /// What its stages took, and where these layers are best cut.
    pub(super) fn as_text(&self) -> String {
        let Self { run, cut, steps_us: [now, even] } = self;
        let mut rows = table(["stage", "layers", "forward", "backward"]);
        for (at, stage) in run.measured.stages().iter().enumerate() {
            let MeasuredStage { layers, forward_us, backward_us, weight_us } = stage;
            rows.add_row([
                at.to_string(),
                format!("{}–{}", layers.start, layers.end - 1),
                time(*forward_us),
                time(backward_us + weight_us.unwrap_or(0.0)),
            ]);
        }
        let told = format!(
            "Measured by {}, medians of a micro-batch without what it waited for others; within a stage each layer has \
             its counted share, so a run of more stages tells more:\n{rows}",
            run.whose
        );
        let (counts, [costliest, costliest_now]) = (cut.partition.counts(), [cut.costliest_us, cut.now_us].map(time));
        if counts.len() == 1 {
            return told;
        }
        let found = if cut.costliest_us < cut.now_us * (1.0 - SAME) {
            format!(
                "Cut by that with strategy.balance = {counts:?}, the costliest stage takes {costliest} of a micro-batch, \
                 and as it is cut now {costliest_now}; a step {}, and now {}.",
                time(*even),
                time(*now)
            )
        } else {
            format!(
                "As it is cut now no other cut is better by that: none has a costliest stage of less than {costliest} of \
                 a micro-batch."
            )
        };
        format!("{told}\n{found}")
    }

    pub(super) fn as_json(&self) -> Value {
        let Self { run, cut, steps_us } = self;
        let stage = |stage: &MeasuredStage| {
            json!({
                "first_layer": stage.layers.start,
                "layers": stage.layers.len(),
                "forward_us": stage.forward_us,
                "backward_us": stage.backward_us,
                "backward_weight_us": stage.weight_us,
            })
        };
        json!({
            "by": run.whose,
            "stages": run.measured.stages().iter().map(stage).collect::<Vec<_>>(),
            "balance": cut.partition.counts(),
            "costliest_us": cut.costliest_us,
            "now_costliest_us": cut.now_us,
            "step_us": steps_us[1],
        })
    }
}

/// What the run of a timeline that this lab has written was asked for, and its measured bars, rank by rank in the order of time.
fn told_by(path: &Path) -> Result<(ExperimentSpec, Vec<Bar>), MeasuredRunError> {
    let text = fs::read_to_string(path).map_err(|source| MeasuredRunError::Read { path: path.to_owned(), source })?;
    // Damaged ones too: no other program begins so.
    let trace = text.starts_with(TRACE_HEAD).then(|| serde_json::from_str::<Value>(&text).ok()).flatten();
    let mut trace = trace.unwrap_or_default();
    let bars = trace["traceEvents"].as_array().map_or_else(Vec::new, |events| bars_of(events));
    if bars.is_empty() {
        return Err(MeasuredRunError::NoTimeline { path: path.to_owned() });
    }
    match serde_json::from_value(trace["spec"].take()) {
        Ok(spec) => Ok((spec, bars)),
        Err(_) => Err(MeasuredRunError::NoSpec { path: path.to_owned() }),
    }
}

fn bars_of(events: &[Value]) -> Vec<Bar> {
    // By its process, each rank of the run and the thread of its first stage; the next ones follow.
    let rank_of = |event: &Value| {
        let name = event["args"]["name"].as_str().filter(|_| event["name"] == "process_name")?;
        let number = name.strip_prefix("measured rank ")?.split(',').next()?;
        Some((event["pid"].as_u64()?, (number.parse::<usize>().ok()?, event["tid"].as_u64()?)))
    };
    let ranks: HashMap<u64, (usize, u64)> = events.iter().filter_map(rank_of).collect();
    let bar_of = |event: &Value| {
        let &(rank, first) = ranks.get(&event["pid"].as_u64()?)?;
        let part = Part::ALL.into_iter().find(|part| event["cat"] == part.as_str())?;
        let number = event["name"].as_str()?.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
        let [start_us, long] = [event["ts"].as_f64()?, event["dur"].as_f64()?];
        Some(Bar {
            rank,
            part,
            micro_batch: number.parse().ok(),
            chunk: event["tid"].as_u64()?.checked_sub(first)? as usize,
            start_us,
            end_us: start_us + long,
            waited_us: event["args"]["waited_us"].as_f64().unwrap_or(0.0),
        })
    };
    let sound = |bar: &Bar| {
        let times = [bar.start_us, bar.end_us - bar.start_us, bar.waited_us];
        times.iter().all(|us| (0.0..FOREVER_US).contains(us))
    };
    let events = events.iter().filter(|event| event["ph"] == "X");
    let mut bars: Vec<Bar> = events.filter_map(bar_of).filter(sound).collect();
    bars.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.start_us.total_cmp(&b.start_us)));
    bars
}

#[cfg(test)]
mod tests {
    use recspeed_plan::timeline::{Stacked, Told, chrome_trace_of_run};
    use recspeed_types::{EventKind, RunEvent};

    use super::*;
    use crate::command::timeline::with_spec;

    /// Two ranks with two stages each, which waited within their backward passes.
    fn told() -> Told {
        let span = |seq: u64, (rank, lane, name, start_us): (u32, &str, &str, u64)| {
            let waited_us = if name.starts_with('B') { 3 } else { 0 };
            let (lane, name) = (lane.to_owned(), name.to_owned());
            let kind =
                EventKind::Span { rank, lane, name, start_us, duration_us: 7, bytes: 1, waited_us, exchange: None };
            RunEvent { run: RunId::new("r").unwrap(), seq, at_us: 9, kind }
        };
        let spans = [
            (0, "0", "F0", 10),
            (0, "1", "F0", 20),
            (0, "1", "send 0", 28),
            (0, "1", "R0", 40),
            (0, "1", "B0", 50),
            (0, "0", "step", 60),
            (1, "0", "F0", 15),
            (1, "0", "I11", 30),
            (1, "1", "W11", 45),
            (1, "0", "reduce", 70),
        ];
        let events: Vec<RunEvent> = (0..).zip(spans).map(|(seq, of)| span(seq, of)).collect();
        Told::of_events(&events)
    }

    #[test]
    fn what_a_run_was_asked_for_and_its_bars_are_read_from_its_timeline_as_they_were_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.trace.json");
        let told = told();
        let write = |text: &str| fs::write(&path, text).unwrap();
        let held = [Stacked::default(), Stacked::default()];
        let trace = chrome_trace_of_run(&held, &told.bars, &told, Layout::new(2, 2, 1).ok());
        let spec = ExperimentSpec { name: "“spec”, }]".to_owned(), ..ExperimentSpec::default() };
        let whole = with_spec(&trace, &spec);
        write(&whole);
        assert_eq!(told_by(&path).unwrap(), (spec, told.bars.clone()), "those of the plan are not the run's");
        // A bar whose time is none is as if it were not there.
        for damaged in [r#""dur":1e300"#, r#""dur":-7.000"#, r#""dur":null"#] {
            // Of the plan's and of the run's.
            write(&whole.replacen(r#""dur":7.000,"args":{"waited_us":3}"#, damaged, 2));
            assert_eq!(told_by(&path).unwrap().1.len(), told.bars.len() - 1, "{damaged}");
        }
        for unsaid in [trace.clone(), whole.replace(r#""version":"#, r#""versions":"#)] {
            write(&unsaid);
            let refused = told_by(&path).unwrap_err().to_string();
            assert!(refused.contains("does not say what its run was asked for"), "{refused}");
        }
        write(&chrome_trace_of_run(&held, &told.bars, &Told::default(), None));
        let refused = told_by(&path).unwrap_err().to_string();
        assert!(refused.contains("tells no passes of a run"), "a plan's own: {refused}");
        for other in ["", "{}", "[recommender]\n", &TRACE_HEAD[..TRACE_HEAD.len() - 3], TRACE_HEAD] {
            write(other);
            assert!(matches!(told_by(&path), Err(MeasuredRunError::NoTimeline { .. })), "{other}");
        }
        let error = told_by(&folder.path().join("none.json")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read") && error.contains("--trace"), "{error}");
    }
}
