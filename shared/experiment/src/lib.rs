//! Resolves a spec, runs it, evaluates it and tells the story as events. The worker on the server and the runner in the
//! browser tab both call [`run`]; they differ only in their [`Host`], which brings the data, the clock and the exits.

mod answer;
mod apart;
mod asked;
mod attributes;
mod audience;
mod baselines;
mod beside_mean;
mod beside_popularity;
mod breakdown;
mod components;
mod enriched;
mod evaluate;
mod failure;
mod fit;
mod foresee;
mod host;
mod importance;
mod lacking;
mod last_model;
mod latency;
mod measurable;
mod model;
mod near;
mod numbering;
mod pace;
mod rank;
mod reasons;
mod run;
mod runaway;
mod sampled;
mod scale;
mod stored;
mod unread;
mod unshrunk;
mod wordless;

pub use answer::Answering;
pub use asked::{Asked, liked_rating, rating_scale};
pub use evaluate::UserTable;
pub use failure::RunFailure;
pub use host::{Checkpoints, Host, LoadedData, ProcessMemory};
pub use last_model::LastModel;
pub use model::{Model, NeuralRecommender};
pub use numbering::Numbering;
pub use recspeed_neural::{Elsewhere, Failure as TrainerFailure, Job, NeuralDevice, TOLD_STEPS, Trained, Trainer};
pub use recspeed_plan::{DeviceMemory, Library};
pub use run::{Outcome, run};
pub use stored::{SplitPart, Stored, StoredPredictions, stored_importance, stored_predictions};

/// Version of Burn, the tensor library, that this build trains with.
pub const BURN_VERSION: &str = recspeed_neural::BURN_VERSION;
