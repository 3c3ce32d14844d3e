//! Stages of one model on devices of different kinds: the paper's future work.

use recspeed_engines::Engines;
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::Device;
use recspeed_types::study::{Difference, StudyCell, StudyColumn, StudyReport, StudyTable, Unit, Whose};

use super::super::failure::CommandError;
use super::super::run::find_worker;
use super::devices::{Answers, Place};
use super::differences::{differences, machine, note, versions};
use super::learnt;
use super::row::{Row, data_of, fit_s, peak};
use super::runs::{Course, Planned, in_turns};
use super::standing::Ended;
use super::{SpecStudyArgs, explained, refuse_to_set, report, spec_of};

const NAME: &str = "mixed";

/// What every row trains.
const SPEC: &str = r#"
version = 1
name = "Mixed architectures"
seed = 42

[dataset]
source = "builtin"
id = "beauty-synthetic-10k"

[split]
kind = "random"
test_ratio = 0.2

[recommender]
kind = "densenet"
layers = 40
growth = 32
dropout = 0.0

[training]
epochs = 1
batch_size = 256
optimizer = "adam"
learning_rate = 1e-3

[evaluation]
metrics = ["rmse", "accuracy"]
"#;

const FULL: [&str; 2] = ["dataset.id=beauty-synthetic", "training.batch_size=1024"];

/// Two stages, on one device or across two.
fn stages(second: Device) -> String {
    let devices = match second {
        Device::Flex => String::new(),
        other => format!(r#", devices = ["flex", "{}"]"#, other.as_str()),
    };
    format!(r#"strategy={{ kind = "pipeline", stages = 2, micro_batches = 4{devices} }}"#)
}

/// How the table is to be read.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "The paper",
        "It names mixed architectures as future work and prints no numbers. A row for each device that this build and machine have trains the \
         whole network on it; a row for each pair asks for its first stage on the processor and its second on the other device.",
    ),
    (
        "What decides",
        "Two stages on one processor share its cores. Of two kinds of devices the slower one sets the pace, and activations and gradients cross once a micro-batch: \
         a GPU at the end gains only where its stage is the larger part of the work.",
    ),
    (
        "Flex and LibTorch on one processor",
        "Flex computes on the threads of one pool, which all its stages share. LibTorch has a pool of its own with as \
         many, so that a pipeline of both has twice the threads that the row tells of on the same cores, and two \
         stages on flex have not. Threads that look for more work before they sleep take a core from those of the \
         other pool. A message between the stages goes through the machine's memory as bytes, which LibTorch copies \
         out of its tensors and into them. That is read from the code, and no more: why such a row may take longer \
         than either engine does alone was not profiled.",
    ),
];

/// What the rows answer: the fastest across two kinds of devices beside the fastest on one kind; nothing where either
/// has no number.
fn answer(rows: &[Row]) -> Option<Difference> {
    let fastest = |across: bool| {
        let own = rows.iter().filter(|row| row.spec.strategy.devices.is_some() == across);
        let timed = own.filter_map(|row| Some((row.name.as_str(), StudyCell::runs(&fit_s(row.runs())).value()?)));
        timed.min_by(|(_, one), (_, other)| one.total_cmp(other))
    };
    let ((across, pair), (alone, one)) = (fastest(true)?, fastest(false)?);
    let [shown, beside] = [pair, one].map(|seconds| Unit::Seconds.show(seconds));
    let end =
        if pair < one { "the pipeline across two kinds gains here" } else { "no pipeline across two kinds gains here" };
    let text = format!(
        "Of the rows across two kinds of devices the fastest is “{across}” with {shown}, and of those on one kind \
         “{alone}” with {beside}: {end}."
    );
    Some(Difference::new("What is gained", text))
}

/// A device for people.
fn title(device: Device) -> &'static str {
    match device {
        Device::Flex => "Burn flex (processor)",
        Device::LibtorchCpu => "LibTorch (processor)",
        Device::LibtorchCuda => "LibTorch (CUDA)",
        Device::Vulkan => "Vulkan",
        Device::Cuda => "CUDA",
        Device::Cpu | Device::Browser => "another engine",
    }
}

/// Name and spec of every row: all on one device, then a pipeline across two.
fn rows(args: &SpecStudyArgs) -> Result<Vec<(String, ExperimentSpec)>, CommandError> {
    let others = || Device::OF_BURN.into_iter().filter(|device| *device != Device::Flex);
    let alone = spec_of(SPEC, args, &FULL, &[])?;
    let pipeline = spec_of(SPEC, args, &FULL, &[stages(Device::Flex)])?;
    let mut rows = vec![
        (format!("All on {}", title(Device::Flex)), alone.clone()),
        (format!("Two stages on {}", title(Device::Flex)), pipeline),
    ];
    for device in others() {
        let mut spec = alone.clone();
        spec.engine.device = device;
        rows.push((format!("All on {}", title(device)), spec));
    }
    for device in others() {
        let spec = spec_of(SPEC, args, &FULL, &[stages(device)])?;
        rows.push((format!("First stage on {}, second on {}", title(Device::Flex), title(device)), spec));
    }
    Ok(rows)
}

/// The specs of its rows, by their names.
///
/// # Errors
/// What is set does not fit them.
pub(super) fn specs(args: &SpecStudyArgs) -> Result<Vec<ExperimentSpec>, CommandError> {
    Ok(rows(args)?.into_iter().map(|(name, spec)| ExperimentSpec { name, ..spec }).collect())
}

/// Measures it; `None` when the user stopped it before anything was measured.
pub(super) fn measure(args: &SpecStudyArgs, engines: &Engines) -> Result<Option<Ended>, CommandError> {
    refuse_to_set(&args.set, &["strategy", "engine.kind", "engine.device"])?;
    let worker = find_worker(args.study.worker.as_deref())?;
    let rows = rows(args)?;
    let answers = Answers::default();
    let place = Place { worker: &worker, engines, answers: &answers };
    let planned: Vec<Planned> = rows.into_iter().map(|(name, spec)| Planned::new(name, spec, place)).collect();
    let repeats = args.repeats();
    let command = args.command(NAME, repeats);
    let less_memory = args.less_memory();
    let course = Course { study: NAME, args: &args.study, engines, command: &command, repeats, less_memory };
    let Some(turns) = in_turns(course, planned)? else { return Ok(None) };
    let report = tables(command, &turns.rows);
    Ok(Some(turns.ended(report)))
}

fn tables(command: String, rows: &[Row]) -> StudyReport {
    let columns = vec![
        StudyColumn::lower("training", Unit::Seconds),
        StudyColumn::lower("RMSE", Unit::Plain),
        StudyColumn::higher("accuracy", Unit::Plain),
        StudyColumn::lower("memory of the process", Unit::Bytes),
    ];
    let all: Vec<&Row> = rows.iter().collect();
    let line = |row: &Row| {
        let note = note(row.last().map(versions).unwrap_or_default(), &differences(&all, row));
        row.table_row(note, columns.len(), |runs| {
            let of = |name: &str| StudyCell::of(runs.last().and_then(|run| run.metrics.get(name).copied()));
            vec![StudyCell::runs(&fit_s(runs)), of("rmse"), of("accuracy"), peak(runs)]
        })
    };
    let one_number = learnt::one_number(&all, &[(1, "rmse"), (2, "accuracy")], columns.len());
    let measured = StudyTable {
        title: "Measured here".to_owned(),
        whose: Whose::Measured,
        rows_are: "where".to_owned(),
        rows: rows.iter().map(line).chain(one_number).collect(),
        columns,
        bars: Some(0),
    };
    let mut report = report(NAME, command, machine(rows), vec![measured]);
    let conditions = rows.iter().find_map(|row| Some((&row.spec, row.last()?))).map(|(spec, run)| {
        let training = run.training.as_ref();
        format!(
            "{} ratings of {} to learn from, {} to test on; a dense block of {} parameters, {} steps of {} rows, pipelines with two stages and \
             four micro-batches.",
            run.data.train,
            data_of(run),
            run.data.test,
            training.map_or(0, |training| training.parameters),
            training.map_or(0, |training| training.steps),
            spec.training.batch_size.unwrap_or_default(),
        )
    });
    report.conditions = conditions.into_iter().collect();
    report.differences = answer(rows).into_iter().chain(explained(DIFFERENCES)).collect();
    report.learnt = learnt::held_against(rows, "rmse");
    let errors_say = learnt::meaning(&report);
    report.differences.extend(errors_say);
    report.specs = rows.iter().filter(|row| row.last().is_some()).map(Row::named_spec).collect();
    report.defaults = super::present::defaults_of(&report.specs);
    report
}

#[cfg(test)]
mod tests {
    use recspeed_types::RunSummary;
    use recspeed_types::study::StudyRow;
    use recspeed_types::summary::MatrixPrecision;

    use super::super::row::Measured;
    use super::super::row::tests::{RUN, row};
    use super::*;

    #[test]
    fn ratings_that_nobody_gave_are_called_made_up() {
        let told = |synthetic: bool| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.data.synthetic = synthetic;
            tables(String::new(), &[row(Measured::Ran(vec![run]))]).conditions.concat()
        };
        assert!(told(true).starts_with("5 ratings of tiny (made up) to learn from, 6 to test on; "), "{}", told(true));
        assert!(told(false).starts_with("5 ratings of tiny to learn from, 6 to test on; "), "{}", told(false));
    }

    #[test]
    fn one_number_for_everybody_stands_below_the_devices() {
        let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
        run.evaluation.of_the_mean = [("rmse".to_owned(), 0.4283), ("accuracy".to_owned(), 0.758)].into();
        let table = tables(String::new(), &[row(Measured::Ran(vec![run]))]).tables.remove(0);
        assert_eq!([1, 2].map(|place| table.columns[place].name.as_str()), ["RMSE", "accuracy"]);
        assert_eq!(table.rows[1..], [StudyRow::one_number(&[(1, 0.4283), (2, 0.758)], table.columns.len())]);
    }

    #[test]
    fn the_question_is_answered_by_the_fastest_rows_of_both_kinds_and_by_none_where_one_kind_has_no_number() {
        let args = SpecStudyArgs::default();
        let timed = |name: &str, seconds: f64| {
            let (name, spec) = rows(&args).expect("rows").into_iter().find(|row| row.0 == name).expect("a row");
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.timing.fit_s = seconds;
            Row::new(name, spec, Measured::Ran(vec![run]))
        };
        let (flex, two) = ("All on Burn flex (processor)", "Two stages on Burn flex (processor)");
        let across = "First stage on Burn flex (processor), second on LibTorch (processor)";
        let said = |rows: &[Row]| {
            let differences = tables(String::new(), rows).differences;
            differences.into_iter().find(|said| said.heading == "What is gained").map(|said| said.text)
        };
        let mut rows = vec![timed(flex, 3.0), timed(two, 2.0)];
        assert_eq!(said(&rows), None, "there is no pair of devices");
        rows.push(timed(across, 4.0));
        let begin = format!("Of the rows across two kinds of devices the fastest is “{across}” with ");
        let end = format!("and of those on one kind “{two}” with 2.00 s: ");
        let due =
            |seconds: &str, gains: &str| Some(format!("{begin}{seconds} s, {end}{gains} across two kinds gains here."));
        assert_eq!(said(&rows), due("4.00", "no pipeline"));
        rows[2] = timed(across, 1.0);
        assert_eq!(said(&rows), due("1.00", "the pipeline"));
    }

    #[test]
    fn a_row_of_which_a_stage_multiplies_in_tf32_says_so_beside_one_that_does_not() {
        let of = |devices: &[Device]| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.engine.precision = MatrixPrecision::of_burn(devices, |_| None);
            row(Measured::Ran(vec![run]))
        };
        let rows = [of(&[Device::Flex]), of(&[Device::Vulkan]), of(&[Device::Cuda]), of(&[Device::Flex, Device::Cuda])];
        let table = tables(String::new(), &rows).tables.remove(0);
        let notes: Vec<&str> = table.rows.iter().map(|row| row.note.as_str()).collect();
        let tf32 = "differs in precision (it multiplies in TF32)";
        assert_eq!(notes, ["", "", tf32, tf32]);
    }

    #[test]
    fn the_studys_specs_are_valid_on_every_device_of_burn() {
        let args = SpecStudyArgs::default();
        for device in Device::OF_BURN {
            let of_row = [format!("engine.device={}", device.as_str())];
            for assignments in [&of_row, &[stages(device)]] {
                let spec = spec_of(SPEC, &args, &FULL, assignments);
                spec.unwrap_or_else(|error| panic!("{}: {error}", device.as_str()));
            }
        }
    }
}
