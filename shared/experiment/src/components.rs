//! What the components of a hybrid take, before the first of them is fitted: networks by their plan, the others by what
//! they say themselves. What a network has on a device with memory of its own is held against that, each network alone.

use recspeed_plan::pace::{GFLOPS, lessons_seconds, remedy};
use recspeed_plan::whole::{others, refusal_where};
use recspeed_plan::words::instead;
use recspeed_plan::{
    Assumed, DeviceMemory, Lessons, Outlook, ProcessNeeds, Whole, is_whole, learnt, of_spec, shortage,
};
use recspeed_recommenders::{FitError, FitRequest, Forecast, Foretold, Sizes, check_components, foretell};
use recspeed_types::spec::{ResolvedRecommender, ResolvedSpec, Training};
use recspeed_types::{Extent, FailureCode, Instead};

use crate::fit::classical_failure;
use crate::foresee::{extent_for, lessons_of};
use crate::{Checkpoints, Host, RunFailure};

/// Bytes of a number.
const NUMBER: u64 = 4;

/// Where the networks of a hybrid are trained.
pub(crate) struct Here {
    /// Where their numbers lie.
    memory: DeviceMemory,
    /// Threads that compute scores there, where it has memory of its own.
    scorers: u64,
    checkpoints: Checkpoints,
}

impl Here {
    pub(crate) fn of(spec: &ResolvedSpec, host: &dyn Host) -> Self {
        let memory = host.device_memory(spec, 0);
        // A hybrid has no plan of its evaluation: its components are taken to be asked by all threads, as in a ranking.
        let threads = || host.engine(spec).map_or(0, |engine| engine.threads.into());
        let scorers = if memory == DeviceMemory::Machine { 0 } else { threads() };
        Self { memory, scorers, checkpoints: host.checkpoints() }
    }
}

/// Refuses before anything is read a hybrid whose components will not fit whatever the rows are.
pub(crate) fn refuse_what_cannot_fit(
    spec: &ResolvedSpec,
    data: &Extent,
    lessons: Lessons,
    host: &dyn Host,
) -> Result<(), RunFailure> {
    if spec.recommender.components().is_empty() {
        return Ok(());
    }
    let here = Here::of(spec, host);
    let there = |network: &ResolvedRecommender| refuse_there(spec, network, (data, lessons), &here);
    check_networks(&spec.recommender, &there).map_err(classical_failure)?;
    let Some(limit) = host.memory_limit() else { return Ok(()) };
    let sizes = Sizes {
        users: data.users,
        items: data.items,
        rows: lessons.about.or(lessons.rows).unwrap_or(1),
        checkpoints: here.checkpoints.writes,
    };
    let forecast = |component: &ResolvedRecommender| {
        if component.entry.is_trained() {
            foretell_network(spec, component, (data, lessons), &here)
        } else {
            foretell(component, &sizes)
        }
    };
    let left = limit.saturating_sub(host.memory().now);
    check_components(&spec.recommender, left, &forecast).map_err(classical_failure)
}

/// Asks each network of a hybrid, in the order of the spec; an error gets the place of its component.
fn check_networks(
    recommender: &ResolvedRecommender,
    check: &dyn Fn(&ResolvedRecommender) -> Result<(), FitError>,
) -> Result<(), FitError> {
    if recommender.entry.is_trained() {
        check(recommender)?;
    }
    let mut components = recommender.components().iter().enumerate();
    components
        .try_for_each(|(index, component)| check_networks(component, check).map_err(|error| error.of_component(index)))
}

/// What a network takes as a component, of the rows that it will learn from.
///
/// # Errors
/// It will not fit on its device.
pub(crate) fn foretell_component(spec: &ResolvedSpec, request: &FitRequest<'_>, here: &Here) -> Foretold {
    let Some((extent, lessons)) = learnt_from(spec, request) else { return Ok(None) };
    refuse_there(spec, request.recommender, (&extent, lessons), here)?;
    Ok(foretell_network(spec, request.recommender, (&extent, lessons), here))
}

/// Refuses a component that is a network and will not fit on its device, where that has memory of its own. What the
/// components before it make of its data is known only when it is fitted.
pub(crate) fn refuse_on_its_device(spec: &ResolvedSpec, request: &FitRequest<'_>, here: &Here) -> Result<(), FitError> {
    match learnt_from(spec, request) {
        Some((extent, lessons)) => refuse_there(spec, request.recommender, (&extent, lessons), here),
        None => Ok(()),
    }
}

/// The same of data that are so large.
fn refuse_there(
    spec: &ResolvedSpec,
    network: &ResolvedRecommender,
    about: (&Extent, Lessons),
    here: &Here,
) -> Result<(), FitError> {
    let refused = planned(spec, network, about, here).and_then(|planned| planned.refusal);
    let Some(Refused { message, kinds }) = refused else { return Ok(()) };
    let refusal = Some(Instead::kinds("recommender", kinds));
    Err(FitError::Elsewhere { code: FailureCode::OutOfMemory, message, refusal })
}

/// How large the data of a component are, and what it learns from; `None` where it is no network.
fn learnt_from(spec: &ResolvedSpec, request: &FitRequest<'_>) -> Option<(Extent, Lessons)> {
    let (component, data) = (request.recommender, request.data);
    training_of(spec, component)?;
    let known = (data.user_attributes, data.item_attributes);
    let extent = extent_for(component, data.interactions, known);
    Some((extent, lessons_of(component, (data.interactions, data.rows))))
}

/// How a component is trained: as `[training]` says; of a loss that it does not have it takes its own.
pub(crate) fn training_of(spec: &ResolvedSpec, component: &ResolvedRecommender) -> Option<Training> {
    let (training, losses) = (spec.training?, component.entry.losses);
    let loss = losses.iter().find(|loss| **loss == training.loss).or(losses.first());
    Some(Training { loss: loss.copied().unwrap_or(training.loss), ..training })
}

/// A component that is a network, planned as if it were alone.
struct Planned {
    /// Bytes of the machine's memory at its highest point.
    bytes: u64,
    /// Why it does not fit on its device, where that has memory of its own.
    refusal: Option<Refused>,
}

/// Why a network does not fit on its device.
struct Refused {
    /// In words.
    message: String,
    /// The kinds that these name.
    kinds: &'static [&'static str],
}

/// `None` where it cannot be planned.
fn planned(
    spec: &ResolvedSpec,
    component: &ResolvedRecommender,
    (data, lessons): (&Extent, Lessons),
    here: &Here,
) -> Option<Planned> {
    let training = training_of(spec, component)?;
    let alone = ResolvedSpec { recommender: component.clone(), training: Some(training), ..spec.clone() };
    let Checkpoints { writes, resumes } = here.checkpoints;
    let needs = ProcessNeeds { checkpoints: writes, resumes, scorers: here.scorers, ..ProcessNeeds::default() };
    let named = |cause: &str| format!("The component `{}` cannot be trained. {cause}", component.entry.kind);
    if is_whole(component.entry.kind) {
        let whole = Whole::of_spec(&alone, data, lessons, needs)?;
        let there = whole.on_its_device(&here.memory).is_some();
        let outlook = if there { whole.beside_its_device() } else { whole.outlook() };
        let refusal = refusal_where(&whole, &here.memory, None);
        let refusal = refusal.map(|cause| Refused { message: named(&cause), kinds: others(&whole) });
        return Some(Planned { bytes: outlook.total(), refusal });
    }
    let batch = training.batch_size.into();
    let assumed = Assumed::threads(GFLOPS).on(Some(data.clone())).learning(component, &lessons, batch);
    let mut strategy = of_spec(&alone, assumed)?;
    strategy.memories = vec![here.memory.clone()];
    if let Some(rows) = lessons.rows {
        strategy.take_no_more_than(rows);
    }
    strategy.needs = ProcessNeeds { checkpoints: writes, resumes, scorers: here.scorers, ..strategy.needs };
    let outlook = Outlook::of(&strategy).ok()?;
    let refusal = shortage(&alone, &strategy, &outlook).map(|cause| {
        let seconds = lessons_seconds(component, &training, data, &lessons);
        let message = named(&format!("{cause} {}", instead(component, seconds, true)));
        Refused { message, kinds: remedy(component.entry).instead }
    });
    Some(Planned { bytes: outlook.process(&strategy).total(), refusal })
}

/// What it takes of the machine's memory; `None` where it cannot be planned.
fn foretell_network(
    spec: &ResolvedSpec,
    component: &ResolvedRecommender,
    (data, lessons): (&Extent, Lessons),
    here: &Here,
) -> Option<Forecast> {
    let Planned { bytes, .. } = planned(spec, component, (data, lessons), here)?;
    let training = training_of(spec, component)?;
    let learnt = learnt(component, data)?;
    // On a device with memory of its own the dense parameters stay there.
    let stays = NUMBER * if here.memory == DeviceMemory::Machine { learnt.parameters() } else { learnt.of_tables() };
    Some(Forecast {
        what: "the training",
        bytes,
        stays,
        // What it reads at the test are rows, and no numbers of its own.
        at_test: stays,
        seconds: lessons_seconds(component, &training, data, &lessons)?,
        remedy: remedy(component.entry),
    })
}
