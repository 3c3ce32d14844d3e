//! What whoever asks is told of runs, studies and the machine: the owner all of it, a guest no place of the machine, and no user of a
//! file that a model was trained on.
//!
//! Causes, warnings and last words come from workers and the system, and name programs and folders. They are stored as
//! they are. Only such answers pass here: the API's own words name its addresses, which look like paths, and ids of users
//! and items may look like anything.

use std::path::{Path, PathBuf};

use axum::http::header;
use axum::response::{IntoResponse, Response};
use recspeed_types::api::Role;
use recspeed_types::spec::DataSource;
use recspeed_types::{ExperimentSpec, RunId};
use serde::Serialize;

use super::{ApiError, AppState};
use crate::access::{Places, Visitor};
use crate::lab::{Lab, LabError};

/// The places that a guest is not told by name: the programs of the lab, its folder, and that of the owner's data.
pub(super) fn places(lab: &Lab) -> Places {
    let program = std::env::current_exe().ok();
    let worker = lab.launch().worker.as_deref().ok();
    let folders = [program.as_deref(), worker].into_iter().flatten().filter_map(Path::parent);
    // A worker inherits the variable, and names the files that it looked for there.
    let data = std::env::var_os("RECSPEED_DATA").map(PathBuf::from);
    Places::of(folders.chain([lab.data_home()]).chain(data.as_deref()))
}

impl AppState {
    /// An answer as JSON.
    ///
    /// # Errors
    /// 500 where it cannot be written as JSON.
    pub(super) fn told(&self, visitor: &Visitor, answer: &impl Serialize) -> Result<Response, ApiError> {
        let json = serde_json::to_string(answer).map_err(|error| ApiError::internal(&error))?;
        Ok(as_json(self.told_text(visitor, json)))
    }

    /// The places that a guest is not told by name in what these runs say, which does not have their specs beside it:
    /// those of the lab, and the files that the specs name. A run that is gone names none.
    ///
    /// # Errors
    /// As the store is read.
    pub(super) async fn places_of(&self, runs: &[RunId]) -> Result<Places, ApiError> {
        let mut specs = Vec::with_capacity(runs.len());
        for run in runs {
            match self.lab.record(run.clone()).await {
                Ok(record) => specs.push(record.spec),
                Err(LabError::NoRun { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let specs = serde_json::to_string(&specs).map_err(|error| ApiError::internal(&error))?;
        Ok(self.places.with_those_in(&specs).into_owned())
    }

    /// An answer that is written out as JSON already.
    fn told_text(&self, visitor: &Visitor, json: String) -> String {
        match visitor.role {
            Role::Owner => json,
            Role::Guest => self.places.hide_in_json(&json).into_owned(),
        }
    }
}

/// Whether whoever asks is told nothing of the users of the data set of this spec. The link to a run is a link to its model and not to the
/// rows of a file: a guest is told those of a data set that the lab makes itself and of no other.
pub(super) fn withholds_users(visitor: &Visitor, spec: &ExperimentSpec) -> bool {
    let is_file = match spec.dataset.source {
        DataSource::Builtin => false,
        DataSource::File | DataSource::Upload => true,
    };
    visitor.role == Role::Guest && is_file
}

/// An answer of JSON that is written out.
pub(super) fn as_json(json: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
