//! `recspeed study`: the paper's tables, measured again on this machine and laid beside the paper's.
//!
//! Every measurement is kept as soon as it is made (`log`): a study that is stopped reports what it has, and goes on there when it is
//! started again.

mod child;
mod devices;
mod differences;
mod document;
mod error;
mod forecast;
mod four_layer;
mod guard;
mod identity;
mod keep;
mod learnt;
mod limit;
mod load;
mod log;
mod memory;
mod merge;
mod methods;
mod mixed;
mod named;
mod named_files;
mod pins;
mod pipeline_vs_sharded;
mod present;
mod recorded;
mod render;
mod rest;
mod retrieval;
mod row;
mod runs;
mod sets;
mod standing;
mod steps;
mod tab;
mod tell;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use recspeed_engines::Engines;
use recspeed_types::study::{self, Difference, StudyCell, StudyMachine, StudyProgress, StudyReport, StudyTable, Whose};
use recspeed_types::{ExperimentSpec, FailureCode};

use super::failure::CommandError;
use super::output;
use super::run::{SpecFileError, find_worker};
use crate::{build, clock, whole_file};
use keep::Extent;
use load::Load;
use standing::Ended;

pub(crate) use error::StudyError;
pub(crate) use present::{Settings, against_present, rows_that_it_lacks};

/// The studies.
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// Every rating read back from each framework's container, and what the container holds
    Retrieval(retrieval::RetrievalArgs),
    /// The paper's four-layer network on every engine that is here, side by side
    FourLayer(four_layer::FourLayerArgs),
    /// A deep network as a pipeline and with its training state divided: ours, torchgpipe's and DeepSpeed's
    PipelineVsSharded(pipeline_vs_sharded::PipelineVsShardedArgs),
    /// Collaborative, content-based and hybrid recommenders on the same ratings
    Methods(SpecStudyArgs),
    /// Stages of one network on devices of different kinds
    Mixed(SpecStudyArgs),
}

impl StudyCommand {
    const fn name(&self) -> &'static str {
        match self {
            Self::Retrieval(_) => "retrieval",
            Self::FourLayer(_) => "four-layer",
            Self::PipelineVsSharded(_) => "pipeline-vs-sharded",
            Self::Methods(_) => "methods",
            Self::Mixed(_) => "mixed",
        }
    }

    /// The same study without what is named twice in it.
    fn with_each_once(self) -> Self {
        match self {
            Self::Retrieval(args) => Self::Retrieval(args.with_each_once()),
            Self::FourLayer(args) => Self::FourLayer(args.with_each_once()),
            Self::PipelineVsSharded(args) => Self::PipelineVsSharded(args.with_each_once()),
            other => other,
        }
    }

    /// The command that its report names, which measures the same again.
    fn own_command(&self) -> String {
        match self {
            Self::Retrieval(args) => retrieval::command_of(args),
            Self::FourLayer(args) => args.own_command(),
            Self::PipelineVsSharded(args) => args.own_command(),
            Self::Methods(args) | Self::Mixed(args) => args.command(self.name(), args.repeats()),
        }
    }

    /// What its report is of.
    const fn extent(&self) -> Extent {
        match self {
            Self::Retrieval(args) => args.extent(),
            Self::FourLayer(args) => args.extent(),
            Self::PipelineVsSharded(args) => args.extent(),
            Self::Methods(args) | Self::Mixed(args) => args.extent(false),
        }
    }
}

/// What every study is told.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct StudyArgs {
    /// Runs of each row, in turns; every study has its own usual number
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: Option<u32>,
    /// Threads of every row
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Seconds that a row may say nothing before it is ended and the study goes on; of a container, or in the tab, that it may take
    /// (otherwise 900 for another framework, 1800 for Recspeed's own and for a container, 600 in the tab)
    #[arg(long, value_name = "SECONDS", env = "RECSPEED_STUDY_LIMIT", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=limit::MOST))]
    limit: Option<u64>,
    /// Measure everything anew, also what is kept of the same study since it was stopped
    #[arg(long)]
    fresh: bool,
    /// Write the report into this file, as JSON; rows of a part of the study are put among those of the report that it holds
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Put the tables into the study's section of this Markdown file; those of a part are put among those of the report that it is of
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// A section of this name beside the study's own, of what is measured here only; the page goes on showing the last whole report
    #[arg(long, value_name = "NAME", requires = "document")]
    section: Option<String>,
    /// Have the page show this report, also where the last one, which is then kept beside it, has more runs or is of other settings
    #[arg(long, conflicts_with = "section")]
    publish: bool,
    /// Write over what --out and --document hold, also where that has other rows, more runs or other settings
    #[arg(long)]
    replace: bool,
    /// Print what Recspeed's authors measured on a machine of theirs, and measure nothing
    #[arg(long, conflicts_with_all = ["repeats", "threads", "fresh", "out", "section", "publish", "replace"])]
    recorded: bool,
    /// Print the report as one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// The worker to use (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
    /// Where engines, imported data, caches and the last reports lie (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
    /// The process that started this one: the study ends with it
    #[arg(long, value_name = "PID", hide = true)]
    parent: Option<u32>,
}

impl StudyArgs {
    /// What a report is of, where this is a `part` of the study or it is `set` otherwise, and the rows run so often `usually`.
    const fn extent(&self, part: bool, set: bool, usually: u32) -> Extent {
        let fewer = matches!(self.repeats, Some(repeats) if repeats < usually);
        // Who presses the button on the page wants to see there what it brings.
        let publish = self.publish || self.parent.is_some();
        Extent { part, own_settings: set || fewer || self.threads.is_some(), publish }
    }
}

/// Arguments of a study whose rows are runs of specs.
#[derive(Debug, Default, Args)]
pub struct SpecStudyArgs {
    /// Measure at full size, which takes from many minutes to hours
    #[arg(long, conflicts_with = "recorded")]
    full: bool,
    /// Replace one field of the study's specs, as training.epochs=5 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "recorded")]
    set: Vec<String>,
    #[command(flatten)]
    study: StudyArgs,
}

impl SpecStudyArgs {
    /// Runs of each row where nobody says how many.
    const fn usual_repeats(&self) -> u32 {
        if self.full { 1 } else { 3 }
    }

    /// Runs of each row.
    fn repeats(&self) -> u32 {
        self.study.repeats.unwrap_or(self.usual_repeats())
    }

    /// What its report is of, where this is a `part` of the study or the whole of it.
    const fn extent(&self, part: bool) -> Extent {
        self.study.extent(part, !self.set.is_empty(), self.usual_repeats())
    }

    /// The command that measures the same again.
    fn command(&self, name: &str, repeats: u32) -> String {
        let full = if self.full { " --full" } else { "" };
        command_line(&format!("{name}{full}"), &self.study, repeats, &self.set)
    }

    /// What needs less memory in a study whose rows train on data that `--set` makes smaller.
    const fn less_memory(&self) -> &'static str {
        if self.full { memory::NOT_FULL } else { memory::FEWER_ROWS }
    }
}

/// Refuses to have set what makes the rows: one of these fields, something in it, or a table that holds it.
fn refuse_to_set(set: &[String], fields: &[&'static str]) -> Result<(), StudyError> {
    let holds = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    for given in set {
        let key = given.split('=').next().unwrap_or_default().trim();
        if let Some(field) = fields.iter().find(|field| **field == key || holds(field, key) || holds(key, field)) {
            return Err(StudyError::OwnField { given: given.clone(), field });
        }
    }
    Ok(())
}

/// Makes the study.
pub(super) fn run(command: StudyCommand) -> Result<u8, CommandError> {
    let command = command.with_each_once();
    let args = match &command {
        StudyCommand::Retrieval(args) => &args.study,
        StudyCommand::FourLayer(args) => &args.study,
        StudyCommand::PipelineVsSharded(args) => &args.specs.study,
        StudyCommand::Methods(args) | StudyCommand::Mixed(args) => &args.study,
    };
    if args.recorded {
        return recorded::print(command.name(), args);
    }
    if let Some(parent) = args.parent {
        guard::follow(parent)?;
    }
    // What would be found at the end, after minutes of measuring, is found now.
    if let Some(path) = &args.out {
        whole_file::try_write(path)
            .map_err(|why| StudyError::Unwritable { path: path.clone(), why: why.to_string() })?;
        named_files::check_out(args, command.name())?;
    }
    if let Some(path) = &args.document {
        let own = document::check(path, &section_of(args, command.name()));
        let own = own.map_err(|error| StudyError::NoDocument(Box::new(error)))?;
        named_files::check(args, (command.name(), &command.own_command()), &own, command.extent())?;
    }
    let engines = Engines::open(args.home.as_deref()).map_err(StudyError::from)?;
    // As they are when it begins: a build may come meanwhile.
    let (machine, worker) = (identity::machine(), find_worker(args.worker.as_deref()).ok());
    let programs = identity::programs(worker.as_deref());
    let load = Load::begin();
    let measured = match &command {
        StudyCommand::Retrieval(args) => retrieval::measure(args, &engines)?,
        StudyCommand::FourLayer(args) => four_layer::measure(args, &engines)?,
        StudyCommand::PipelineVsSharded(args) => pipeline_vs_sharded::measure(args, &engines)?,
        StudyCommand::Methods(args) => methods::measure(args, &engines)?,
        StudyCommand::Mixed(args) => mixed::measure(args, &engines)?,
    };
    let Some(mut ended) = measured else {
        output::complain("recspeed: the study was stopped before anything was measured; nothing was written.");
        return Ok(FailureCode::Cancelled.exit_status());
    };
    ended.report.machine.load = ended.report.machine.load.or_else(|| load.so_far());
    (ended.report.machine.id, ended.report.machine.programs) = (machine, programs);
    build::version().clone_into(&mut ended.report.machine.build);
    let told = tell::tell(args, &ended, command.extent())?;
    let status = status(&ended);
    // What a report is made of is kept until that stands where it was asked for.
    if told.is_written() {
        ended.written();
    } else if ended.report.partial.is_none() && ended.is_kept() {
        output::complain(
            "recspeed: what was measured is kept: the same command makes its report without measuring again.",
        );
    }
    let mut failures = told.failures();
    let last = if status == 0 { failures.pop() } else { None };
    for failure in failures {
        output::complain(&format!("recspeed: {failure}"));
    }
    last.map_or(Ok(status), Err)
}

/// The exit status of a study whose report is written, which says on standard error what is wrong with it.
fn status(ended: &Ended) -> u8 {
    if let Some(StudyProgress { done, total }) = ended.report.partial {
        let next = if ended.is_kept() {
            "what is measured is kept, and the same command goes on behind it"
        } else {
            "what is measured stands in its report alone, and could not be kept for going on"
        };
        output::complain(&format!("recspeed: the study was stopped after {done} of {total} measurements; {next}."));
        return FailureCode::Cancelled.exit_status();
    }
    if nothing_measured(&ended.report) {
        output::complain("recspeed: no row could be measured; the page goes on showing the last report.");
        return FailureCode::Worker.exit_status();
    }
    0
}

/// The section of a document that a study writes.
fn section_of(args: &StudyArgs, study: &str) -> String {
    args.section.as_ref().map_or_else(|| study.to_owned(), |name| format!("{study}: {name}"))
}

/// Whether no row has a number, and that is not for want of something to install.
fn nothing_measured(report: &StudyReport) -> bool {
    let measured = report.tables.iter().filter(|table| table.whose == Whose::Measured);
    let cells: Vec<&StudyCell> = measured.flat_map(|table| &table.rows).flat_map(|row| &row.cells).collect();
    let any = |is: fn(&StudyCell) -> bool| cells.iter().any(|cell| is(cell));
    any(|cell| matches!(cell, StudyCell::Failed { .. })) && !any(|cell| matches!(cell, StudyCell::Number(_)))
}

/// The command that measures the same again.
fn command_line(name: &str, args: &StudyArgs, repeats: u32, set: &[String]) -> String {
    let mut command = format!("recspeed study {name} --repeats {repeats}");
    if let Some(threads) = args.threads {
        let _ = write!(command, " --threads {threads}");
    }
    for assignment in set {
        let _ = write!(command, " --set '{assignment}'");
    }
    command
}

/// The spec of a row: the study's, at full size if that was asked for, with what the user has set, with what makes the row.
fn spec_of(text: &str, args: &SpecStudyArgs, full: &[&str], of_row: &[String]) -> Result<ExperimentSpec, CommandError> {
    let full: Vec<String> = full.iter().filter(|_| args.full).map(|&assignment| assignment.to_owned()).collect();
    parsed(text, &args.study, &[&full, &args.set, of_row])
}

/// A study's spec with assignments, the last ones winning.
fn parsed(text: &str, args: &StudyArgs, assignments: &[&[String]]) -> Result<ExperimentSpec, CommandError> {
    let spec = read(text, args, assignments)?;
    spec.resolve().map_err(|errors| SpecFileError::Invalid { name: SPEC_NAME.to_owned(), errors })?;
    Ok(spec)
}

/// The same, not held against the rules that join the fields.
fn read(text: &str, args: &StudyArgs, assignments: &[&[String]]) -> Result<ExperimentSpec, CommandError> {
    let mut all = assignments.concat();
    // Another source takes other fields than the study's own: with it the data set is told anew.
    if let Some(place) = all.iter().position(|assignment| assignment.trim_start().starts_with("dataset.source")) {
        all.insert(place, "dataset={}".to_owned());
    }
    let mut spec = ExperimentSpec::from_toml_with(text, &all)
        .map_err(|source| SpecFileError::Parse { name: SPEC_NAME.to_owned(), source })?;
    spec.engine.threads = args.threads.or(spec.engine.threads);
    Ok(spec)
}

/// What messages call a study's spec.
const SPEC_NAME: &str = "the study's spec";

/// Headings and explanations.
fn explained(differences: &[(&str, &str)]) -> Vec<Difference> {
    differences.iter().map(|(heading, text)| Difference::new(heading, *text)).collect()
}

/// The report of a study of the catalogue, measured now; the paper's table stands behind what was measured.
fn report(name: &str, command: String, machine: StudyMachine, measured: Vec<StudyTable>) -> StudyReport {
    let entry = study::find(name);
    StudyReport {
        study: name.to_owned(),
        title: entry.map_or(name, |study| study.title).to_owned(),
        question: entry.map_or("", |study| study.question).to_owned(),
        measured_ms: clock::now_ms(),
        command,
        machine,
        conditions: Vec::new(),
        tables: measured.into_iter().chain(entry.and_then(study::Study::paper)).collect(),
        differences: Vec::new(),
        learnt: None,
        specs: Vec::new(),
        defaults: std::collections::BTreeMap::new(),
        partial: None,
        sittings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_the_rows_is_not_to_be_set_in_whole_or_in_part() {
        for (given, refused) in [
            ("strategy.kind=zero", true),
            ("strategy={}", true),
            ("engine.kind=pytorch", true),
            ("engine = { kind = \"pytorch\" }", true),
            ("engine.threads=1", false),
            ("training.epochs=2", false),
            ("strategyx=1", false),
        ] {
            let set = [given.to_owned()];
            assert_eq!(refuse_to_set(&set, &["strategy", "engine.kind"]).is_err(), refused, "{given}");
        }
    }
}
