//! Studies: the paper's tables measured again. The catalogue of them, and the report that every one of them ends in.

mod bars;
mod catalogue;
mod paper;
mod progress;
mod remedy;
mod report;
pub mod retrieval;
mod show;

pub use bars::BarScale;
pub use catalogue::{STUDIES, Study, find};
pub use progress::StudyProgress;
pub use remedy::{Remedy, remedies};
pub use report::{
    Better, Difference, Missing, NumberCell, ONE_NUMBER, Spread, StudyCell, StudyColumn, StudyLearnt, StudyLoad,
    StudyMachine, StudyReport, StudyRow, StudyTable, Unit, Whose,
};
pub use show::times_of_best;
