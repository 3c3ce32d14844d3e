//! Tables of embeddings: what a batch looks up in them, the step that moves those rows and no others, and how ranks divide them.
//!
//! A table may be too large for any rank, and a batch needs few of its rows, so that ranks divide the tables whatever else they
//! divide, fetch the vectors that they look up, and give the gradients by these back to whoever holds the rows (Naumov et al.
//! 2019, section 4). All ranks build the same batch, so that each knows what the others look up, and vectors are all that travels.
//!
//! **The law** holds here too: [`Tables`] compute the update of one device, which is that of [`LookUp`], [`RowGradient`] and
//! [`RowRule`] on whole tables.

mod exchange;
mod gradient;
mod held;
mod look_up;
mod rule;
mod saved;

pub use exchange::Wanted;
pub use gradient::RowGradient;
pub use held::Tables;
pub use look_up::LookUp;
pub use rule::{RowRule, RowStep};
pub use saved::SavedTables;
