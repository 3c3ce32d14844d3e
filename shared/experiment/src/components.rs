//! What the components of a hybrid take, before the first of them is fitted: networks by their plan, the others by what
//! they say themselves.

use recspeed_plan::pace::{remedy, training_seconds};
use recspeed_plan::{Assumed, DeviceMemory, Lessons, Outlook, ProcessNeeds, Whole, is_whole, learnt, of_spec};
use recspeed_recommenders::{FitRequest, Forecast, Sizes, check_components, foretell};
use recspeed_types::Extent;
use recspeed_types::spec::{ResolvedRecommender, ResolvedSpec, Training};

use crate::fit::classical_failure;
use crate::foresee::{GFLOPS, extent_for, longest};
use crate::{Checkpoints, Host, RunFailure};

/// Bytes of a number.
const NUMBER: u64 = 4;

/// Where the networks of a hybrid are trained.
#[derive(Clone, Copy)]
pub(crate) struct Here {
    /// Whether their numbers lie in the memory of this machine.
    in_the_machine: bool,
    checkpoints: Checkpoints,
}

impl Here {
    pub(crate) fn of(spec: &ResolvedSpec, host: &dyn Host) -> Self {
        let in_the_machine = host.device_memory(spec, 0) == DeviceMemory::Machine;
        Self { in_the_machine, checkpoints: host.checkpoints() }
    }
}

/// Refuses before anything is read a hybrid whose components will not fit whatever the rows are.
pub(crate) fn refuse_what_cannot_fit(
    spec: &ResolvedSpec,
    data: &Extent,
    lessons: Lessons,
    host: &dyn Host,
) -> Result<(), RunFailure> {
    let Some(limit) = host.memory_limit().filter(|_| !spec.recommender.components().is_empty()) else {
        return Ok(());
    };
    let here = Here::of(spec, host);
    let sizes = Sizes {
        users: data.users,
        items: data.items,
        rows: lessons.about.or(lessons.rows).unwrap_or(1),
        checkpoints: here.checkpoints.writes,
    };
    let forecast = |component: &ResolvedRecommender| {
        if component.entry.is_trained() {
            foretell_network(spec, component, (data, lessons), here)
        } else {
            foretell(component, &sizes)
        }
    };
    let left = limit.saturating_sub(host.memory().now);
    check_components(&spec.recommender, left, &forecast).map_err(classical_failure)
}

/// What a network takes as a component, of the rows that it will learn from.
pub(crate) fn foretell_component(spec: &ResolvedSpec, request: &FitRequest<'_>, here: Here) -> Option<Forecast> {
    let (component, data) = (request.recommender, request.data);
    let training = training_of(spec, component)?;
    let known = (data.user_attributes, data.item_attributes);
    let extent = extent_for(component, data.interactions, known);
    let longest = longest(component, training.batch_size.into(), (data.interactions, data.rows));
    let lessons = Lessons { rows: Some(data.rows.len() as u64), longest: Some(longest), about: None };
    foretell_network(spec, component, (&extent, lessons), here)
}

/// How a component is trained: as `[training]` says; of a loss that it does not have it takes its own.
pub(crate) fn training_of(spec: &ResolvedSpec, component: &ResolvedRecommender) -> Option<Training> {
    let (training, losses) = (spec.training?, component.entry.losses);
    let loss = losses.iter().find(|loss| **loss == training.loss).or(losses.first());
    Some(Training { loss: loss.copied().unwrap_or(training.loss), ..training })
}

/// `None` where what it holds does not lie in this machine's memory, or cannot be planned.
fn foretell_network(
    spec: &ResolvedSpec,
    component: &ResolvedRecommender,
    (data, lessons): (&Extent, Lessons),
    here: Here,
) -> Option<Forecast> {
    if !here.in_the_machine {
        return None;
    }
    let training = training_of(spec, component)?;
    let alone = ResolvedSpec { recommender: component.clone(), training: Some(training), ..spec.clone() };
    let Checkpoints { writes, resumes } = here.checkpoints;
    let needs = ProcessNeeds { checkpoints: writes, resumes, ..ProcessNeeds::default() };
    let bytes = if is_whole(component.entry.kind) {
        Whole::of_spec(&alone, data, lessons, needs)?.outlook().total()
    } else {
        let mut strategy = of_spec(&alone, Assumed::threads(GFLOPS).on(Some(data.clone())))?;
        // No batch has more rows than there are.
        let rows = lessons.rows.map_or(usize::MAX, |rows| rows as usize);
        strategy.batch = strategy.batch.min(rows).max(1);
        strategy.micro_batches = strategy.micro_batches.min(strategy.batch);
        strategy.needs = ProcessNeeds { checkpoints: writes, resumes, ..strategy.needs };
        Outlook::of(&strategy).ok()?.process(&strategy).total()
    };
    let rows = lessons.about.or(lessons.rows)?;
    Some(Forecast {
        what: "the training",
        bytes,
        stays: NUMBER * learnt(component, data)?.parameters(),
        seconds: training_seconds(component, &training, data, rows)?,
        remedy: remedy(component.entry),
    })
}
