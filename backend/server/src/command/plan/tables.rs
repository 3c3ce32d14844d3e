//! What the ranks of a spec hold of its tables of embeddings, and send for them. How many rows there are, the data set says: it is read
//! as a run would read it, unless the command line says how large it is.

use std::path::PathBuf;

use recspeed_data::{Attributes, SplitRows, derive, split};
use recspeed_datasets::{DataHome, LoadRequest, Loaded, LookUp};
use recspeed_plan::words::bytes;
use recspeed_plan::{Lessons, RankTables, TablesOutlook};
use recspeed_types::Extent;
use recspeed_types::spec::{EvaluateOn, FitOn, ResolvedSpec, TableSharding};
use serde_json::{Value, json};

use super::PlanArgs;
use super::of_spec::table;
use crate::command::failure::CommandError;

/// What is known of the tables.
#[derive(Debug)]
pub(super) enum Tables {
    /// The recommender has none.
    None,
    /// It has some, and nobody knows how large they are; why not.
    Unknown(String),
    /// What each rank holds of them, on data of this size.
    Planned(Box<Known>, TablesOutlook),
}

/// How large a data set is, and what is known of its rows.
#[derive(Debug)]
pub(super) struct Known {
    /// Users, items and what else tables have rows for.
    pub(super) extent: Extent,
    /// Rows of the data set, where it was read.
    pub(super) rows: Option<u64>,
    /// The rows that a run would learn from: the same that it holds itself to.
    pub(super) lessons: Lessons,
}

impl Tables {
    /// Those of a spec that lies in this folder.
    ///
    /// # Errors
    /// [`CommandError`]: the ranks cannot divide them.
    pub(super) fn of(spec: &ResolvedSpec, dir: PathBuf, args: &PlanArgs) -> Result<Self, CommandError> {
        if !TableSharding::suits(spec.recommender.entry.kind) {
            return Ok(Self::None);
        }
        let known = match extent_of(spec, dir, args) {
            Ok(known) => known,
            Err(why) => return Ok(Self::Unknown(why)),
        };
        let tables = TablesOutlook::of_spec(spec, &known.extent)?;
        Ok(tables.map_or(Self::None, |tables| Self::Planned(Box::new(known), tables)))
    }

    /// How large the data are.
    pub(super) fn data(&self) -> Option<&Extent> {
        match self {
            Self::Planned(known, _) => Some(&known.extent),
            Self::None | Self::Unknown(_) => None,
        }
    }

    /// Rows of the data set, where it was read.
    pub(super) fn rows(&self) -> Option<u64> {
        match self {
            Self::Planned(known, _) => known.rows,
            Self::None | Self::Unknown(_) => None,
        }
    }

    /// What a run would learn from; nothing is known of it where the data were not read.
    pub(super) fn lessons(&self) -> Lessons {
        match self {
            Self::Planned(known, _) => known.lessons,
            Self::None | Self::Unknown(_) => Lessons::default(),
        }
    }

    pub(super) const fn planned(&self) -> Option<&TablesOutlook> {
        match self {
            Self::Planned(_, tables) => Some(tables),
            Self::None | Self::Unknown(_) => None,
        }
    }

    /// Empty without tables.
    pub(super) fn as_text(&self, spec: &ResolvedSpec) -> String {
        let sharding = spec.strategy.tables.as_str();
        let (extent, tables) = match self {
            Self::None => return String::new(),
            Self::Unknown(why) => {
                return format!(
                    "Beside that all ranks divide tables of embeddings ({sharding}), which are not counted: their sizes depend on the \
                     data set, which cannot be read here ({why}). Give --users and --items, or a data set that is known."
                );
            }
            Self::Planned(known, tables) => (&known.extent, tables),
        };
        let mut rows = table(["rank", "parameters", "optimizer", "looked up", "sent a step"]);
        for (rank, of) in tables.ranks.iter().enumerate() {
            let RankTables { shares, looked_up, traffic } = of;
            let row = [shares.parameters, shares.optimizer, *looked_up, traffic.total()].map(bytes);
            rows.add_row(std::iter::once(rank.to_string()).chain(row));
        }
        let whose = match tables.placement.tables() {
            [table] if table.fields.len() > 1 => {
                let words: u64 = extent.words.iter().sum();
                format!("{} users, {} items, {words} words of attributes", extent.users, extent.items)
            }
            _ => "the items".to_owned(),
        };
        format!(
            "Tables of embeddings, {} rows ({whose}) of {} numbers, which all ranks divide {sharding}; what is looked up and sent in a step \
             is the most that it can be:\n{rows}",
            tables.rows(),
            tables.width()
        )
    }

    /// `null` without tables, and where nobody knows how large they are.
    pub(super) fn as_json(&self) -> Value {
        let Self::Planned(known, tables) = self else { return Value::Null };
        let extent = &known.extent;
        let rank = |(rank, of): (usize, &RankTables)| {
            json!({
                "rank": rank,
                "parameters_bytes": of.shares.parameters,
                "optimizer_bytes": of.shares.optimizer,
                "looked_up_bytes": of.looked_up,
                "fetched_bytes_per_step": of.traffic.fetched,
                "given_back_bytes_per_step": of.traffic.given_back,
            })
        };
        json!({
            "divided": tables.placement.sharding().as_str(),
            "rows": tables.rows(),
            "width": tables.width(),
            "users": extent.users,
            "items": extent.items,
            "words": extent.words,
            "ranks": tables.ranks.iter().enumerate().map(rank).collect::<Vec<_>>(),
        })
    }
}

/// How large the data set of a spec is, as the command line says, or as a run would read and split it, then with its rows; in words, why
/// it cannot be read.
pub(super) fn extent_of(spec: &ResolvedSpec, dir: PathBuf, args: &PlanArgs) -> Result<Known, String> {
    match (args.users, args.items) {
        (Some(users), Some(items)) => {
            let extent = Extent::of_ids(users.into(), items.into());
            Ok(Known { extent, rows: None, lessons: Lessons::default() })
        }
        _ => read(spec, dir),
    }
}

fn read(spec: &ResolvedSpec, dir: PathBuf) -> Result<Known, String> {
    let home = DataHome::open(None).map_err(|error| error.to_string())?;
    let look_up = LookUp::from_env(Some(dir));
    let request = LoadRequest { dataset: &spec.dataset, seed: spec.data_seed, look_up: &look_up };
    let loaded = home.load(&request, &mut |_, _| ()).map_err(|error| error.to_string())?;
    // What cannot be split has a size all the same; what is derived of its rows has none.
    let learnt = match learnt_from(spec, &loaded) {
        Ok(learnt) => Some(learnt),
        Err(_) if spec.features.derive.is_empty() => None,
        Err(why) => return Err(why),
    };
    let loaded = with_derived(spec, loaded, learnt.as_deref().unwrap_or_default());
    let [users, items] = [&loaded.user_attributes, &loaded.item_attributes].map(Option::as_ref);
    let (data, recommender) = (&loaded.interactions, &spec.recommender);
    let extent = if recommender.entry.param("attributes").is_some() {
        recspeed_data::extent(data, users, items, recommender.names("attributes"))
    } else {
        Extent::of_ids(data.n_users() as u64, data.n_items() as u64)
    };
    let lessons = learnt.map_or_else(Lessons::default, |learnt| {
        Lessons::of(recommender, data.n_users(), learnt.iter().map(|&row| data.user[row as usize]))
    });
    Ok(Known { extent, rows: Some(data.len() as u64), lessons })
}

/// The rows that a run would learn from.
fn learnt_from(spec: &ResolvedSpec, loaded: &Loaded) -> Result<Vec<u32>, String> {
    let SplitRows { mut train, validation, .. } =
        split(&loaded.interactions, &spec.split, spec.data_seed).map_err(|error| error.to_string())?;
    if spec.evaluation.on == EvaluateOn::Test && spec.split.fit_on == FitOn::TrainValidation {
        train.extend(validation);
        train.sort_unstable();
    }
    Ok(train)
}

/// With the columns that `[features]` makes of the rows that will be learnt from.
fn with_derived(spec: &ResolvedSpec, mut loaded: Loaded, learnt: &[u32]) -> Loaded {
    let data = &loaded.interactions;
    for &derived in spec.features.derive.iter().filter(|derived| data.has_timestamps || !derived.needs_times()) {
        let column = derive(data, learnt, derived);
        let (table, ids) = if derived.of_items() {
            (&mut loaded.item_attributes, &data.items)
        } else {
            (&mut loaded.user_attributes, &data.users)
        };
        *table = Some(Attributes::with_column(table.take(), ids, column));
    }
    loaded
}
