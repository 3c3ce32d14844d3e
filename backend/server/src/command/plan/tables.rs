//! What the ranks of a spec hold of its tables of embeddings, and send for them. How many rows there are, the data set says: it is read
//! as a run would read it, unless the command line says how large it is.

use std::path::PathBuf;

use recspeed_data::{Attributes, SplitRows, derive, split};
use recspeed_datasets::{DataHome, LoadRequest, Loaded, LookUp};
use recspeed_plan::words::bytes;
use recspeed_plan::{RankTables, TablesOutlook};
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
    Planned(Extent, TablesOutlook),
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
        let extent = match extent_of(spec, dir, args) {
            Ok((extent, _)) => extent,
            Err(why) => return Ok(Self::Unknown(why)),
        };
        Ok(TablesOutlook::of_spec(spec, &extent)?.map_or(Self::None, |tables| Self::Planned(extent, tables)))
    }

    /// How large the data are.
    pub(super) const fn data(&self) -> Option<&Extent> {
        match self {
            Self::Planned(extent, _) => Some(extent),
            Self::None | Self::Unknown(_) => None,
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
            Self::Planned(extent, tables) => (extent, tables),
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
        let Self::Planned(extent, tables) = self else { return Value::Null };
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

/// How large the data set of a spec is, as the command line says, or as a run would read it, then with how many rows; in words, why it
/// cannot be read.
pub(super) fn extent_of(spec: &ResolvedSpec, dir: PathBuf, args: &PlanArgs) -> Result<(Extent, Option<u64>), String> {
    match (args.users, args.items) {
        (Some(users), Some(items)) => Ok((Extent::of_ids(users.into(), items.into()), None)),
        _ => read(spec, dir).map(|(extent, rows)| (extent, Some(rows))),
    }
}

fn read(spec: &ResolvedSpec, dir: PathBuf) -> Result<(Extent, u64), String> {
    let home = DataHome::open(None).map_err(|error| error.to_string())?;
    let look_up = LookUp::from_env(Some(dir));
    let request = LoadRequest { dataset: &spec.dataset, seed: spec.data_seed, look_up: &look_up };
    let loaded = home.load(&request, &mut |_, _| ()).map_err(|error| error.to_string())?;
    let loaded = with_derived(spec, loaded)?;
    let [users, items] = [&loaded.user_attributes, &loaded.item_attributes].map(Option::as_ref);
    let (data, recommender) = (&loaded.interactions, &spec.recommender);
    let extent = if recommender.entry.param("attributes").is_some() {
        recspeed_data::extent(data, users, items, recommender.names("attributes"))
    } else {
        Extent::of_ids(data.n_users() as u64, data.n_items() as u64)
    };
    Ok((extent, data.len() as u64))
}

/// With the columns that `[features]` makes of the rows that will be learnt from.
fn with_derived(spec: &ResolvedSpec, mut loaded: Loaded) -> Result<Loaded, String> {
    if spec.features.derive.is_empty() {
        return Ok(loaded);
    }
    let data = &loaded.interactions;
    let SplitRows { mut train, validation, .. } =
        split(data, &spec.split, spec.data_seed).map_err(|error| error.to_string())?;
    if spec.evaluation.on == EvaluateOn::Test && spec.split.fit_on == FitOn::TrainValidation {
        train.extend(validation);
        train.sort_unstable();
    }
    for &derived in spec.features.derive.iter().filter(|derived| data.has_timestamps || !derived.needs_times()) {
        let column = derive(data, &train, derived);
        let (table, ids) = if derived.of_items() {
            (&mut loaded.item_attributes, &data.items)
        } else {
            (&mut loaded.user_attributes, &data.users)
        };
        *table = Some(Attributes::with_column(table.take(), ids, column));
    }
    Ok(loaded)
}
