//! What one device will hold of a network that is no row of layers, and the machine beside it: there is no schedule to draw, and
//! bytes are counted all the same.

use std::path::PathBuf;

use recspeed_plan::whole::refusal_where;
use recspeed_plan::words::bytes;
use recspeed_plan::{DeviceOutlook, Lessons, ProcessNeeds, Whole, WholeOutlook};
use recspeed_types::Extent;
use recspeed_types::spec::{ResolvedSpec, Source};
use serde_json::json;

use super::of_spec::{device_json, evaluation, table};
use super::tables::{Known, extent_of};
use super::{PlanArgs, room};
use crate::command::failure::CommandError;
use crate::command::output;

/// Plans and prints.
pub(super) fn print(title: &str, spec: &ResolvedSpec, dir: PathBuf, args: &PlanArgs) -> Result<u8, CommandError> {
    let kind = spec.recommender.entry.kind;
    if args.trace.is_some() || args.lengths.is_some() {
        return Err(CommandError::NoLayers { kind });
    }
    let known = extent_of(spec, dir, args).map_err(|why| CommandError::UnknownSize { kind, why })?;
    let Known { extent: data, rows: read, lessons } = known;
    let rows = read.or(match &spec.dataset.source {
        Source::Builtin { entry } => Some(u64::from(entry.rows)),
        _ => None,
    });
    let evaluation = evaluation(spec, Some(&data), (rows, lessons)).unwrap_or_default();
    let needs = ProcessNeeds {
        before: ProcessNeeds::of_rows(rows.unwrap_or(0)),
        checkpoints: true,
        evaluation: evaluation.total(),
        scoring: evaluation.blocks,
        scorers: evaluation.scorers,
        ..ProcessNeeds::default()
    };
    let lessons = Lessons { rows: lessons.rows.or(rows), ..lessons };
    let Some(whole) = Whole::of_spec(spec, &data, lessons, needs) else {
        return Err(CommandError::NoLayers { kind });
    };
    let memories = room::of_devices(spec, args.gpu_memory.map(|mib| mib << 20));
    let memory = memories.into_iter().next().unwrap_or_default();
    let room = args.memory_limit.map(|mib| mib << 20).or_else(room::of_a_run);
    let device = whole.on_its_device(&memory);
    let outlook = if device.is_some() { whole.beside_its_device() } else { whole.outlook() };
    let machine = room.map(|room| outlook.total() <= room);
    let fits = match &device {
        Some(device) => both(device.fits(), machine),
        None => machine,
    };
    let verdict = refusal_where(&whole, &memory, room).unwrap_or_else(|| in_words(fits).to_owned());
    let planned = Planned { title, kind, data: &data, outlook, device, room, fits, verdict };
    output::say(&if args.json { planned.as_json()? } else { planned.as_text() })?;
    Ok(0)
}

/// Whether both fit; `None` where that is not known of one, and the other is not too small.
fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    if one == Some(false) || other == Some(false) { Some(false) } else { one.and(other) }
}

fn in_words(fits: Option<bool>) -> &'static str {
    match fits {
        Some(_) => "This fits into one device.",
        None => "How much memory there is for it is not known here.",
    }
}

/// A plan, and what it is about.
struct Planned<'a> {
    title: &'a str,
    kind: &'static str,
    data: &'a Extent,
    /// What it holds of the machine's memory.
    outlook: WholeOutlook,
    /// What it holds on its device, where that has memory of its own.
    device: Option<DeviceOutlook>,
    /// Bytes of the machine's memory that a run may hold, where that is known.
    room: Option<u64>,
    /// Whether it fits, where that is known.
    fits: Option<bool>,
    verdict: String,
}

impl Planned<'_> {
    fn as_text(&self) -> String {
        let Self { title, kind, data, outlook, device, room, verdict, .. } = self;
        let mut rows = table(["held", "bytes"]);
        for (what, held) in outlook.parts() {
            rows.add_row([what.to_owned(), bytes(held)]);
        }
        rows.add_row(["together".to_owned(), bytes(outlook.total())]);
        let room = room.map_or(String::new(), |room| format!(" of the {} that a run may use", bytes(room)));
        let (own, device) = match device {
            Some(device) => (" beside what lies on its device", format!("\n\n{}", device.in_words())),
            None => ("", String::new()),
        };
        format!(
            "{title}: {kind} of {} users and {} items, {} parameters\n\n\
             It is no row of layers that ranks could divide: one device trains it whole. Memory of its process{own} at the worst \
             moment, parameters and optimizer counted, the rest an upper estimate{room}, with \
             checkpoints:\n{rows}{device}\n\n{verdict}",
            data.users, data.items, outlook.learnt
        )
    }

    fn as_json(&self) -> Result<String, CommandError> {
        let Self { kind, data, outlook, device, room, fits, verdict, .. } = self;
        let plan = json!({
            "recommender": kind,
            "parameters": outlook.learnt,
            "users": data.users,
            "items": data.items,
            "words": data.words,
            "ranks": 1,
            "allowed_bytes": room,
            "process": {
                "bytes": outlook.total(),
                "before_bytes": outlook.before,
                "parameters_bytes": outlook.parameters,
                "gradients_bytes": outlook.gradients,
                "optimizer_bytes": outlook.optimizer,
                "activations_bytes": outlook.activations,
                "scores_bytes": outlook.scores,
                "lists_bytes": outlook.lists,
                "best_bytes": outlook.best,
                "computing_bytes": outlook.updating,
                "collecting_bytes": outlook.collecting,
                "allocator_bytes": outlook.allocator,
                "evaluation_bytes": outlook.evaluation,
            },
            "devices": device.iter().map(device_json).collect::<Vec<_>>(),
            "fits": fits,
            "verdict": verdict,
        });
        Ok(serde_json::to_string_pretty(&plan).map_err(std::io::Error::other)?)
    }
}
