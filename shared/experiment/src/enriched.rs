//! `[features]`: attributes joined by id, made of the rows, left out, or dealt out anew.

use recspeed_data::{AttributeColumn, Attributes, Dictionary, derive, shuffled};
use recspeed_types::FailureCode;
use recspeed_types::spec::{FeatureName, ResolvedSpec};

use crate::RunFailure;
use crate::run::Prepared;

/// Does what `[features]` asks. What is derived is made of the rows that are learnt from, and of nothing else.
pub(crate) fn enriched(spec: &ResolvedSpec, mut data: Prepared) -> Result<Prepared, RunFailure> {
    let asked = &spec.features;
    if let Some(derived) =
        asked.derive.iter().find(|derived| derived.needs_times() && !data.interactions.has_timestamps)
    {
        return Err(wrong(format!(
            "features.derive: `{}` is made of times, and {} has none; take it out.",
            derived.as_str(),
            data.info.name
        )));
    }
    for &derived in &asked.derive {
        let column = derive(&data.interactions, &data.fit_rows, derived);
        let (table, ids) = if derived.of_items() {
            (&mut data.item_attributes, &data.interactions.items)
        } else {
            (&mut data.user_attributes, &data.interactions.users)
        };
        add(table, ids, column)?;
    }
    for name in &asked.drop {
        match FeatureName::parse(name) {
            Some(FeatureName::Items(column)) => change(&mut data.item_attributes, name, |table| table.clear(column))?,
            Some(FeatureName::Users(column)) => change(&mut data.user_attributes, name, |table| table.clear(column))?,
            Some(FeatureName::Time) => {
                data.interactions.timestamp.fill(0);
                data.interactions.fraction.clear();
            }
            Some(FeatureName::User | FeatureName::Item) | None => {}
        }
    }
    for name in &asked.shuffle {
        let seed = spec.seed;
        match FeatureName::parse(name) {
            Some(FeatureName::Items(column)) => {
                change(&mut data.item_attributes, name, |table| table.shuffle(column, seed))?;
            }
            Some(FeatureName::Users(column)) => {
                change(&mut data.user_attributes, name, |table| table.shuffle(column, seed))?;
            }
            // The inputs are shuffled when ratings are predicted.
            Some(FeatureName::Time | FeatureName::User | FeatureName::Item) | None => {}
        }
    }
    // Before anything is learnt, because it is asked about only afterwards.
    for name in &asked.permute {
        match FeatureName::parse(name) {
            Some(FeatureName::Items(column)) => change(&mut data.item_attributes, name, |table| table.has(column))?,
            Some(FeatureName::Users(column)) => change(&mut data.user_attributes, name, |table| table.has(column))?,
            Some(FeatureName::Time | FeatureName::User | FeatureName::Item) | None => {}
        }
    }
    Ok(data)
}

fn wrong(cause: String) -> RunFailure {
    RunFailure::new(FailureCode::InvalidSpec, cause)
}

/// Joins a column to the table of `ids`, which it is in the order of.
fn add(table: &mut Option<Attributes>, ids: &Dictionary, column: AttributeColumn) -> Result<(), RunFailure> {
    if table.as_ref().is_some_and(|known| known.has(&column.name)) {
        return Err(wrong(format!(
            "features.derive: the data set has an attribute `{}` of its own; take it out.",
            column.name
        )));
    }
    *table = Some(Attributes::with_column(table.take(), ids, column));
    Ok(())
}

fn change(
    table: &mut Option<Attributes>,
    name: &str,
    change: impl FnOnce(&mut Attributes) -> bool,
) -> Result<(), RunFailure> {
    if table.as_mut().is_some_and(change) {
        return Ok(());
    }
    let known: Vec<&str> = table.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(wrong(format!("features: there is no attribute {name}; there are: {known}.")))
}

/// What a prediction is made from, and what gives each an order of its own.
const INPUTS: [(&str, u64); 3] = [("user", 1 << 60), ("item", 2 << 60), ("time", 3 << 60)];

/// What `features.shuffle` deals out anew among the test rows, where ratings of them are predicted.
pub(crate) fn shuffled_inputs(spec: &ResolvedSpec) -> Vec<&str> {
    let is_input = |name: &&str| INPUTS.iter().any(|(input, _)| input == name);
    spec.features.shuffle.iter().map(String::as_str).filter(is_input).collect()
}

/// Whose values each prediction of some rows is made from: its own, or those of another of them where an input is shuffled.
pub(crate) struct Inputs<'a> {
    rows: &'a [u32],
    orders: [Option<Vec<u32>>; 3],
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(spec: &ResolvedSpec, rows: &'a [u32]) -> Self {
        let order = |(input, salt): (&str, u64)| {
            let asked = spec.features.shuffle.iter().any(|name| name == input);
            asked.then(|| shuffled(rows.len(), spec.seed ^ salt))
        };
        Self { rows, orders: INPUTS.map(order) }
    }

    /// With another input dealt out anew by a seed, if it has that name.
    pub(crate) fn with_dealt(mut self, input: &str, seed: u64) -> Self {
        if let Some(place) = INPUTS.iter().position(|(name, _)| *name == input) {
            self.orders[place] = Some(shuffled(self.rows.len(), seed ^ INPUTS[place].1));
        }
        self
    }

    /// Rows that are predicted.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row that gives the user of the row at `place`.
    pub(crate) fn user(&self, place: usize) -> usize {
        self.row(0, place)
    }

    /// The row that gives its item.
    pub(crate) fn item(&self, place: usize) -> usize {
        self.row(1, place)
    }

    /// The row that gives its time.
    pub(crate) fn time(&self, place: usize) -> usize {
        self.row(2, place)
    }

    fn row(&self, input: usize, place: usize) -> usize {
        let place = self.orders[input].as_ref().map_or(place, |order| order[place] as usize);
        self.rows[place] as usize
    }
}
