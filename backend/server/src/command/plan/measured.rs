//! `recspeed plan FILE --lengths RUN`: passes as long as those of a run, and where the stages are best cut then.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use recspeed_plan::timeline::{Bar, Part, bars_of_events, standing};
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
    /// It begins as a timeline does, and does not go on so.
    #[error(
        "{} is no whole JSON ({source}), so it is cut short or damaged: write it anew with `recspeed run FILE --trace` or \
         `recspeed trace RUN`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it ends or is wrong.
        source: serde_json::Error,
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
    /// Its ranks do not stand where what it was asked for would have them.
    #[error(
        "{whose} has other ranks than the spec that stands in it asks for: rank {rank} is named `{told}`, and would be \
         `{asked}`; take a timeline as `recspeed run FILE --trace` or `recspeed trace RUN` has written it"
    )]
    OtherPlaces {
        /// Which run.
        whose: String,
        /// The first rank of which that is so.
        rank: usize,
        /// Where its name says that it stood.
        told: String,
        /// Where the spec puts it.
        asked: String,
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

/// Who writes the timelines of this lab, as they name it.
const WRITER: &str = "recspeed";
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
        let (whose, ran, bars, places) = if named.is_file() {
            let Timeline { spec, bars, places } = Timeline::read(named)?;
            (format!("the run of {}", named.display()), spec, bars, places)
        } else {
            let run = named.to_str().and_then(|text| RunId::new(text).ok());
            let run = run.ok_or_else(|| MeasuredRunError::NoRun { given: named.display().to_string() })?;
            let (record, spans) = trace::stored(args.home.clone(), &run)?;
            (format!("the run `{run}`"), record.spec, bars_of_events(&spans), BTreeMap::new())
        };
        let ran = ran.resolve().ok().filter(|ran| ran.recommender == spec.recommender);
        let ran = ran.ok_or_else(|| MeasuredRunError::OtherNetwork { whose: whose.clone() })?;
        let kind = spec.recommender.entry.kind;
        let strategy = of_spec(&ran, assumed.clone()).ok_or(CommandError::NoLayers { kind })?;
        let outlook = Outlook::of(&strategy)?;
        let asked = &ran.strategy;
        let layout = Layout::new(asked.ranks as usize, asked.stages as usize, asked.tensor as usize)?;
        if let Some((rank, told, asked)) = misplaced(&places, layout) {
            return Err(MeasuredRunError::OtherPlaces { whose, rank, told, asked }.into());
        }
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

/// A timeline that this lab has written, in whatever way its JSON stands in the file.
#[derive(Debug)]
struct Timeline {
    /// What its run was asked for.
    spec: ExperimentSpec,
    /// Its measured bars, rank by rank in the order of time.
    bars: Vec<Bar>,
    /// Where its ranks stood, as their names say it: empty where they do not.
    places: BTreeMap<usize, String>,
}

impl Timeline {
    fn read(path: &Path) -> Result<Self, MeasuredRunError> {
        let at = || path.to_owned();
        let text = fs::read_to_string(path).map_err(|source| MeasuredRunError::Read { path: at(), source })?;
        let mut trace: Value = match serde_json::from_str(&text) {
            Ok(trace) => trace,
            // Of what is no JSON from its first letter on nothing was cut: it is some other file.
            Err(source) if text.trim_start().starts_with('{') => {
                return Err(MeasuredRunError::Damaged { path: at(), source });
            }
            Err(_) => return Err(MeasuredRunError::NoTimeline { path: at() }),
        };
        let events = trace["traceEvents"].as_array().filter(|_| trace["otherData"]["writer"] == WRITER);
        let ranks = events.map(|events| ranks_of(events)).unwrap_or_default();
        let bars = events.map_or_else(Vec::new, |events| bars_of(events, &ranks));
        if bars.is_empty() {
            return Err(MeasuredRunError::NoTimeline { path: at() });
        }
        let places = ranks.into_values().map(|named| (named.rank, named.place)).collect();
        match serde_json::from_value(trace["spec"].take()) {
            Ok(spec) => Ok(Self { spec, bars, places }),
            Err(_) => Err(MeasuredRunError::NoSpec { path: at() }),
        }
    }
}

/// The first rank whose name puts it elsewhere than a layout does: it, and both places. Ranks beyond the layout are not looked at.
fn misplaced(places: &BTreeMap<usize, String>, layout: Layout) -> Option<(usize, String, String)> {
    let named = places.iter().filter(|(rank, place)| **rank < layout.ranks() && !place.is_empty());
    let mut both = named.map(|(&rank, place)| (rank, place.clone(), standing(rank, layout)));
    let bare = |place: &str| place.trim_start_matches(", ").to_owned();
    both.find(|(_, told, asked)| told != asked).map(|(rank, told, asked)| (rank, bare(&told), bare(&asked)))
}

/// A rank of a run, as the name of its process has it.
struct Named {
    rank: usize,
    /// What follows on its number, as [`standing`] has it; may be empty.
    place: String,
    /// The thread of its first stage; those of the next ones follow.
    first: u64,
}

/// The ranks of the run by their processes; those of the plan are others.
fn ranks_of(events: &[Value]) -> HashMap<u64, Named> {
    let named = |event: &Value| {
        let name = event["args"]["name"].as_str().filter(|_| event["name"] == "process_name")?;
        let name = name.strip_prefix("measured rank ")?;
        let (number, place) = name.split_at(name.find(',').unwrap_or(name.len()));
        let (rank, place) = (number.parse().ok()?, place.to_owned());
        Some((event["pid"].as_u64()?, Named { rank, place, first: event["tid"].as_u64()? }))
    };
    events.iter().filter_map(named).collect()
}

fn bars_of(events: &[Value], ranks: &HashMap<u64, Named>) -> Vec<Bar> {
    let bar_of = |event: &Value| {
        let &Named { rank, first, .. } = ranks.get(&event["pid"].as_u64()?)?;
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
    use recspeed_plan::timeline::{Stacked, TRACE_HEAD, TRACE_TAIL, Told, chrome_trace_of_run};
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
        let read = |path: &Path| Timeline::read(path).map(|read| (read.spec, read.bars));
        assert_eq!(read(&path).unwrap(), (spec, told.bars.clone()), "those of the plan are not the run's");
        // A bar whose time is none is as if it were not there.
        for damaged in [r#""dur":1e300"#, r#""dur":-7.000"#, r#""dur":null"#] {
            // Of the plan's and of the run's.
            write(&whole.replacen(r#""dur":7.000,"args":{"waited_us":3}"#, damaged, 2));
            assert_eq!(read(&path).unwrap().1.len(), told.bars.len() - 1, "{damaged}");
        }
        for unsaid in [trace.clone(), whole.replace(r#""version":"#, r#""versions":"#)] {
            write(&unsaid);
            let refused = read(&path).unwrap_err().to_string();
            assert!(refused.contains("does not say what its run was asked for"), "{refused}");
        }
        write(&chrome_trace_of_run(&held, &told.bars, &Told::default(), None));
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.contains("tells no passes of a run"), "a plan's own: {refused}");
        let others = whole.replacen(r#""writer":"recspeed""#, r#""writer":"another""#, 1);
        for other in ["", "{}", "[recommender]\n", "[1]", "7", &others, &format!("{TRACE_HEAD}{TRACE_TAIL}")] {
            write(other);
            assert!(matches!(read(&path), Err(MeasuredRunError::NoTimeline { .. })), "{other}");
        }
        let error = read(&folder.path().join("none.json")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read") && error.contains("--trace"), "{error}");
    }

    #[test]
    fn a_timeline_that_another_program_wrote_anew_is_read_as_it_was_and_one_that_is_cut_is_called_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.trace.json");
        let told = told();
        let trace = chrome_trace_of_run(&[], &[], &told, Layout::new(2, 2, 1).ok());
        let whole = with_spec(&trace, &ExperimentSpec::default());
        let value: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(value["otherData"]["writer"], WRITER);
        let anew = serde_json::to_string_pretty(&value).unwrap();
        for text in [&whole, &anew] {
            fs::write(&path, text).unwrap();
            let read = Timeline::read(&path).unwrap();
            assert_eq!(read.bars, told.bars);
            assert_eq!(read.places, BTreeMap::from([(0, ", stage 0".to_owned()), (1, ", stage 1".to_owned())]));
            for at in [1, TRACE_HEAD.len(), text.len() / 2, text.trim_end().len() - 1] {
                fs::write(&path, &text[..at]).unwrap();
                let refused = Timeline::read(&path).unwrap_err().to_string();
                assert!(refused.contains("is cut short or damaged: write it anew with"), "{at}: {refused}");
            }
        }
    }

    #[test]
    fn a_rank_stands_where_the_spec_puts_it_or_the_timeline_is_not_that_of_the_spec() {
        let of = |layout: Layout| (0..4).map(|rank| (rank, standing(rank, layout))).collect::<BTreeMap<_, _>>();
        let [four, two, one] = [(4, 1), (2, 1), (2, 2)].map(|(stages, tensor)| Layout::new(4, stages, tensor).unwrap());
        for layout in [four, two, one] {
            assert_eq!(misplaced(&of(layout), layout), None);
        }
        let (told, asked) = ("stage 0, replica 0".to_owned(), "stage 0".to_owned());
        assert_eq!(misplaced(&of(two), four), Some((0, told, asked)));
        assert!(misplaced(&of(two), one).is_some() && misplaced(&of(one), two).is_some());
        // Nothing is said where the names say nothing, nor of ranks that the layout has not.
        let silent: BTreeMap<usize, String> = (0..4).map(|rank| (rank, String::new())).collect();
        assert_eq!(misplaced(&silent, four), None);
        assert_eq!(misplaced(&of(four), Layout::new(1, 1, 1).unwrap()), None);
    }
}
