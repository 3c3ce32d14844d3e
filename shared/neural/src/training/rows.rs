//! The tables of one device: the step of an optimizer that moves the rows that a batch looked up, and no others
//! ([`recspeed_parallel::tables`] says what that is).

use std::sync::Arc;

pub(crate) use recspeed_parallel::tables::{LookUp, RowGradient, RowRule};
use recspeed_types::spec::{Optimizer, Training};

use super::layout::Table;

/// Numbers as long as each table.
type OfTables = Vec<Vec<f32>>;

/// The update rule of the tables with its state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowUpdate {
    rule: RowRule,
    learning_rate: f32,
    /// First and second moment of every table, as long as the tables; none for stochastic gradient descent.
    moments: Option<(OfTables, OfTables)>,
}

/// The rule of tables that the spec asks for.
pub(crate) fn row_rule(training: &Training) -> RowRule {
    let decay = training.weight_decay as f32;
    match training.optimizer {
        Optimizer::Adam => RowRule::Adam { decay },
        Optimizer::Adamw => RowRule::AdamW { decay },
        Optimizer::Sgd => RowRule::Sgd { decay },
    }
}

impl RowUpdate {
    pub(crate) fn new(training: &Training, tables: &[Table]) -> Self {
        let zeros = || tables.iter().map(|table| vec![0.0; table.rows * table.width]).collect::<Vec<_>>();
        let rule = row_rule(training);
        Self {
            rule,
            learning_rate: training.learning_rate as f32,
            moments: (rule.state().bytes() > 0).then(|| (zeros(), zeros())),
        }
    }

    /// All moments, the first of every table before the second of any; empty without moments.
    pub(crate) fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        self.moments.as_ref().map_or_else(Default::default, |(first, second)| (first.concat(), second.concat()))
    }

    /// Takes up moments as [`Self::moments`] gave them.
    pub(crate) fn set_moments(&mut self, first: &[f32], second: &[f32]) {
        if let Some(moments) = &mut self.moments {
            for (mine, theirs) in [(&mut moments.0, first), (&mut moments.1, second)] {
                let mut rest = theirs;
                for table in mine {
                    let (head, tail) = rest.split_at(table.len());
                    table.copy_from_slice(head);
                    rest = tail;
                }
            }
        }
    }

    /// Moves the rows that have a gradient, scaled by `factor`. `step`: steps taken before this one.
    pub(crate) fn step(&mut self, tables: &mut [Arc<Vec<f32>>], gradients: &[RowGradient], factor: f32, step: u64) {
        let how = self.rule.step(self.learning_rate, factor, step);
        for (index, (table, gradient)) in tables.iter_mut().zip(gradients).enumerate() {
            let table = Arc::make_mut(table);
            let mut moments = self.moments.as_mut().map(|(first, second)| (&mut first[index], &mut second[index]));
            for (id, values) in gradient.rows() {
                let at = id as usize * values.len()..(id as usize + 1) * values.len();
                let moments = moments.as_mut().map(|(first, second)| (&mut first[at.clone()], &mut second[at.clone()]));
                how.apply(&mut table[at.clone()], values, moments);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::ExperimentSpec;

    #[test]
    fn rows_that_were_not_looked_up_rest() {
        let table = vec![1.0, 2.0, 10.0, 20.0, 100.0, 200.0];
        for optimizer in Optimizer::ALL {
            let training = ExperimentSpec::default().resolve().unwrap().training.unwrap();
            let training = Training { optimizer, weight_decay: 0.1, learning_rate: 0.1, ..training };
            let mut layout = super::super::layout::Layout::default();
            layout.table("t", 3, 2, super::super::layout::Initial::Constant(0.0));
            let mut update = RowUpdate::new(&training, layout.tables());
            let mut tables = vec![Arc::new(table.clone())];
            for step in 0..3 {
                let gradient = RowGradient::new(&LookUp::from(vec![1]), &[1.0, -1.0], 2);
                update.step(&mut tables, &[gradient], 1.0, step);
            }
            assert_eq!((&tables[0][..2], &tables[0][4..]), (&table[..2], &table[4..]), "{optimizer:?}");
            assert!(tables[0][2] < 10.0, "{optimizer:?}: {:?}", tables[0]);
        }
    }
}
