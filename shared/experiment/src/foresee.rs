//! What is known of a run before it begins.

use recspeed_data::{Attributes, Interactions};
use recspeed_plan::pace::{GFLOPS, lessons_seconds, remedy};
use recspeed_plan::whole::{others, refusal_where};
use recspeed_plan::words::{bytes, instead, verdict};
use recspeed_plan::{
    Assumed, DeviceMemory, EvaluationOutlook, Judging, Lessons, Limit, Outlook, ProcessNeeds, Room, Strategy,
    TablesOutlook, Whole, bottleneck, is_whole, of_spec, shortage,
};
use recspeed_types::catalogue::{Need, NoCheckpoints};
use recspeed_types::spec::{ResolvedRecommender, ResolvedSpec, Source, TableSharding};
use recspeed_types::{Extent, FailureCode, Instead};

use crate::components;
use crate::fit::classical_failure;
use crate::run::Prepared;
use crate::{Host, LoadedData, RunFailure};

/// Tiles of users are foretold as large as they are cut: who foretells them and who cuts them must not import each other.
const _: () = assert!(recspeed_plan::blocks::TILE_SCORES == recspeed_recommenders::ranking::TILE_SCORES);

/// Refuses before anything is read what will not fit whatever the data are.
pub(crate) fn refuse_what_cannot_fit(spec: &ResolvedSpec, host: &dyn Host) -> Result<(), RunFailure> {
    let data = Extent::foretold(&spec.dataset);
    // There is one row at least.
    let lessons = Lessons { rows: Some(1), lengths: None, about: rows_about(spec) };
    if let Some(data) = &data {
        components::refuse_what_cannot_fit(spec, data, lessons, host)?;
        if is_whole(spec.recommender.entry.kind) {
            return refuse_whole(spec, data, lessons, 1, host);
        }
    }
    refuse(spec, (1, 1, lessons), (data.clone(), data), host)
}

/// Refuses a training on these data whose ranks would together hold more than the run may use, by its plan: that counts parameters,
/// tables of embeddings, gradients, optimizer state and activations of a batch, what the process needs beside these, what it holds by now, and
/// what the evaluation takes. What lies on devices with memory of their own is held against that.
pub(crate) fn refuse_what_will_not_fit(
    spec: &ResolvedSpec,
    data: &Prepared,
    host: &dyn Host,
) -> Result<(), RunFailure> {
    let all = &data.interactions;
    let rows = data.fit_rows.len();
    let unread = Lessons { rows: Some(rows as u64), ..Lessons::default() };
    let is_trained = spec.recommender.entry.is_trained();
    let lessons = if is_trained { lessons_of(&spec.recommender, (all, &data.fit_rows)) } else { unread };
    if is_whole(spec.recommender.entry.kind) {
        return refuse_whole(spec, &extent_of_network(spec, data), lessons, all.len(), host);
    }
    let tables = extent(spec, data);
    let sizes = tables.clone().unwrap_or_else(|| Extent::of_ids(all.n_users() as u64, all.n_items() as u64));
    refuse(spec, (rows, all.len(), Lessons { about: Some(rows as u64), ..lessons }), (tables, Some(sizes)), host)
}

/// How many rows there may be to learn from, where that is known before any is read: time alone is told by it.
fn rows_about(spec: &ResolvedSpec) -> Option<u64> {
    match &spec.dataset.source {
        Source::Builtin { entry } if spec.dataset.filters.keeps_all() => Some(entry.rows.into()),
        _ => None,
    }
}

/// How large the data are, where the network has tables that ranks can divide.
fn extent(spec: &ResolvedSpec, data: &Prepared) -> Option<Extent> {
    TableSharding::suits(spec.recommender.entry.kind).then(|| extent_of_network(spec, data))
}

/// How large the data are, with the attributes that the network reads, where it reads any.
fn extent_of_network(spec: &ResolvedSpec, data: &Prepared) -> Extent {
    let Prepared { interactions, user_attributes, item_attributes, .. } = data;
    extent_for(&spec.recommender, interactions, (user_attributes.as_ref(), item_attributes.as_ref()))
}

/// The same of any network. `known`: what is known of users, and of items.
pub(crate) fn extent_for(
    recommender: &ResolvedRecommender,
    interactions: &Interactions,
    known: (Option<&Attributes>, Option<&Attributes>),
) -> Extent {
    if recommender.entry.param("attributes").is_none() {
        return Extent::of_ids(interactions.n_users() as u64, interactions.n_items() as u64);
    }
    recspeed_data::extent(interactions, known.0, known.1, recommender.names("attributes"))
}

/// What users have of the rows that are learnt from.
pub(crate) fn lessons_of(
    recommender: &ResolvedRecommender,
    (interactions, learnt): (&Interactions, &[u32]),
) -> Lessons {
    let users = learnt.iter().map(|&row| interactions.user[row as usize]);
    Lessons::of(recommender, interactions.n_users(), users)
}

/// Refuses a training of a network that one device trains whole. What lies on a device with memory of its own is held against that.
fn refuse_whole(
    spec: &ResolvedSpec,
    data: &Extent,
    lessons: Lessons,
    all_rows: usize,
    host: &dyn Host,
) -> Result<(), RunFailure> {
    let (limit, memory) = (host.memory_limit(), host.device_memory(spec, 0));
    if limit.is_none() && memory == DeviceMemory::Machine {
        return Ok(());
    }
    let checkpoints = host.checkpoints();
    let judging = Judging { threads: host.engine(spec)?.threads.into(), rows: Some(all_rows as u64), lessons };
    let evaluation = EvaluationOutlook::of_spec(spec, Some(data), judging).unwrap_or_default();
    let needs = ProcessNeeds {
        before: host.memory().now,
        checkpoints: checkpoints.writes,
        resumes: checkpoints.resumes,
        evaluation: evaluation.total(),
        scoring: evaluation.blocks,
        scorers: evaluation.scorers,
        ..ProcessNeeds::default()
    };
    let whole = Whole::of_spec(spec, data, lessons, needs);
    let refusal = whole.and_then(|whole| Some((refusal_where(&whole, &memory, limit)?, others(&whole))));
    match refusal {
        Some((cause, kinds)) => {
            Err(RunFailure::new(FailureCode::OutOfMemory, cause).refused(Instead::kinds("recommender", kinds)))
        }
        None => Ok(()),
    }
}

/// `rows`: those that are learnt from, of `all_rows`; `lessons`: what is known of them. `data`: how large the data are,
/// where tables have rows for that; `sizes`: the same, where anybody is measured.
fn refuse(
    spec: &ResolvedSpec,
    (rows, all_rows, lessons): (usize, usize, Lessons),
    (data, sizes): (Option<Extent>, Option<Extent>),
    host: &dyn Host,
) -> Result<(), RunFailure> {
    let batch: u64 = spec.training.as_ref().map_or(1, |training| training.batch_size.into());
    // What is told of bytes does not depend on the speed.
    let assumed = Assumed::threads(GFLOPS).on(data.clone()).learning(&spec.recommender, &lessons, batch);
    let Some(mut strategy) = of_spec(spec, assumed) else { return Ok(()) };
    strategy.memories = (0..spec.strategy.ranks as usize).map(|rank| host.device_memory(spec, rank)).collect();
    let in_the_machine = |memory: &DeviceMemory| *memory == DeviceMemory::Machine;
    if host.memory_limit().is_none() && strategy.memories.iter().all(in_the_machine) {
        return Ok(());
    }
    strategy.take_no_more_than(rows as u64);
    let checkpoints = host.checkpoints();
    let judging = Judging { threads: host.engine(spec)?.threads.into(), rows: Some(all_rows as u64), lessons };
    // Where nobody knows how many items there are, a block of them may be a small one.
    let evaluation = sizes.as_ref().and_then(|sizes| EvaluationOutlook::of_spec(spec, Some(sizes), judging));
    // What another framework has trained answers in this process.
    let scoring = evaluation.filter(|_| !spec.engine.kind.is_reference()).map_or(0, |evaluation| evaluation.blocks);
    strategy.needs = ProcessNeeds {
        before: host.memory().now,
        checkpoints: checkpoints.writes,
        resumes: checkpoints.resumes,
        evaluation: evaluation.map_or(0, |evaluation| evaluation.total()),
        scoring,
        scorers: evaluation.map_or(0, |evaluation| evaluation.scorers),
        ..strategy.needs
    };
    // A strategy that the plan does not draw is refused, or not, by the training itself.
    let Ok(outlook) = Outlook::of(&strategy) else { return Ok(()) };
    let of_devices = shortage(spec, &strategy, &outlook);
    let of_the_machine = host.memory_limit().and_then(|limit| lacks(spec, (&strategy, &outlook), data, limit));
    let mut causes: Vec<String> = of_devices.into_iter().chain(of_the_machine).collect();
    if causes.is_empty() {
        return Ok(());
    }
    // Where `rows` is only the least, no time is told by it.
    let told = Lessons { rows: None, ..lessons };
    let sizes = sizes.unwrap_or_default();
    let training = spec.training.as_ref();
    let time = training.and_then(|training| lessons_seconds(&spec.recommender, training, &sizes, &told));
    causes.push(instead(&spec.recommender, time, strategy.ranks * strategy.copies() == 1));
    let kinds = remedy(spec.recommender.entry).instead;
    Err(RunFailure::new(FailureCode::OutOfMemory, causes.join(" ")).refused(Instead::kinds("recommender", kinds)))
}

/// Why all ranks together will not fit into what a run may use of the machine's memory; `None` where they do.
fn lacks(
    spec: &ResolvedSpec,
    (strategy, outlook): (&Strategy, &Outlook),
    data: Option<Extent>,
    limit: u64,
) -> Option<String> {
    let found = bottleneck(strategy, outlook, Some(Room::Together(limit)));
    if !matches!(found.limit, Limit::Memory { .. }) {
        return None;
    }
    let mut cause = verdict(&found, strategy, outlook);
    let process = outlook.process(strategy);
    if process.before >= process.total() / 2 {
        cause = format!(
            "{cause} Program and data are {} of that: fewer rows (dataset.sample) take less.",
            bytes(process.before)
        );
    }
    if process.evaluation >= process.total() / 2 {
        cause =
            format!("{cause} Most of it is what scores are computed with: fewer threads (engine.threads) take less.");
    }
    if let Some(Ok(Some(tables))) = data.map(|data| TablesOutlook::of_spec(spec, &data)) {
        cause = format!("{cause} {}", tables.in_words(&spec.recommender));
    }
    Some(cause)
}

/// Refuses what cannot be computed over so many items, where they are counted before anything is made or read: those of a built-in
/// data set, of which no filter takes any.
pub(crate) fn refuse_too_many_items(spec: &ResolvedSpec, host: &dyn Host) -> Result<(), RunFailure> {
    let Source::Builtin { entry } = &spec.dataset.source else { return Ok(()) };
    if !spec.dataset.filters.keeps_all() {
        return Ok(());
    }
    refuse_so_many_items(spec, entry.items as usize, host)
}

/// Refuses what cannot be computed over the items that are left once a file is read and filtered: before the split, and before anything
/// is made of the rows. How many items a file has is known only by reading it.
pub(crate) fn refuse_so_many_items(spec: &ResolvedSpec, n_items: usize, host: &dyn Host) -> Result<(), RunFailure> {
    let left = host.memory_limit().map(|limit| limit.saturating_sub(host.memory().now));
    recspeed_recommenders::foresee(&spec.recommender, n_items, left).map_err(classical_failure)
}

/// Refuses before anything is read to go on from what is no checkpoint, and from any where none is ever kept: it would be
/// left aside, and the run would look as if it had gone on.
pub(crate) fn refuse_to_go_on(spec: &ResolvedSpec, host: &dyn Host) -> Result<(), RunFailure> {
    if !host.checkpoints().resumes {
        return Ok(());
    }
    let Some(NoCheckpoints { who, why }) = spec.no_checkpoints() else { return host.look_at_checkpoint() };
    let cause = format!(
        "A run with {who} keeps no checkpoints ({why}), so there is none to continue from; leave out --resume."
    );
    Err(RunFailure::new(FailureCode::Checkpoint, cause))
}

/// Refuses before anything is read what needs attributes that do not come with the data set: its source says so. Whether its rows have
/// times or an order, and whether a file of attributes holds any, is known only by reading.
pub(crate) fn refuse_what_is_not_there(spec: &ResolvedSpec) -> Result<(), RunFailure> {
    let source = &spec.dataset.source;
    let has = |need: Need| match need {
        Need::ItemAttributes => source.has_item_attributes(),
        Need::UserAttributes => source.has_user_attributes(),
        Need::Timestamps | Need::Order => true,
    };
    refuse_needs(spec, &has, &|need| remedy_of(source, need))
}

/// The same once it is read, before its rows are filtered and split.
pub(crate) fn refuse_what_was_not_read(spec: &ResolvedSpec, loaded: &LoadedData) -> Result<(), RunFailure> {
    let some = |table: &Option<Attributes>| table.as_ref().is_some_and(|table| !table.columns.is_empty());
    let has = |need: Need| match need {
        Need::ItemAttributes => some(&loaded.item_attributes),
        Need::UserAttributes => some(&loaded.user_attributes),
        Need::Timestamps => loaded.interactions.has_timestamps,
        Need::Order => loaded.interactions.has_order(),
    };
    let remedy = |need: Need| match need {
        // It has times: what is wrong with them must be said.
        Need::Order if loaded.interactions.has_one_time() => OF_ONE_TIME,
        _ => remedy_of(&spec.dataset.source, need),
    };
    refuse_needs(spec, &has, &remedy)
}

/// What to do where every row has the same time.
const OF_ONE_TIME: &str = "all its rows have one and the same time: take data whose times differ, or of sequences \
                           (dataset.format = \"sequences\"), or a recommender that needs no order, as item-knn, \
                           als-implicit or ease";

/// `has`: what the data have, before `[features]` derives attributes of their rows; `remedy`: what to do where they do
/// not.
fn refuse_needs(
    spec: &ResolvedSpec,
    has: &dyn Fn(Need) -> bool,
    remedy: &dyn Fn(Need) -> &'static str,
) -> Result<(), RunFailure> {
    let derives = |of_items: bool| spec.features.derive.iter().any(|derived| derived.of_items() == of_items);
    let will_have = |need: Need| {
        has(need)
            || match need {
                Need::ItemAttributes => derives(true),
                Need::UserAttributes => derives(false),
                Need::Timestamps | Need::Order => false,
            }
    };
    recspeed_recommenders::check_needs(&spec.recommender, &will_have, remedy).map_err(classical_failure)
}

/// Where what the rows lack could come from: beside a file on a disk another one can be named, beside other rows none.
fn remedy_of(source: &Source, need: Need) -> &'static str {
    match (source, need) {
        (Source::Upload { .. }, Need::ItemAttributes) => {
            "a file that is given to the lab comes without: take dataset.source = \"file\", where dataset.items names a file of \
             them beside the ratings, or a built-in data set, which has them"
        }
        (Source::Upload { .. } | Source::Builtin { .. }, Need::UserAttributes) => {
            "such data come without: take dataset.source = \"file\", where dataset.users names a file of them beside the \
             ratings"
        }
        _ => recspeed_recommenders::remedy_for(need),
    }
}
