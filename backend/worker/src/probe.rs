//! `recspeed-worker probe`.

use std::process::ExitCode;

use recspeed_types::catalogue;
use recspeed_types::probe::{PROTOCOL_VERSION, Probe};
use recspeed_types::spec::Device;

use crate::output::{answer, complain};
use crate::{device, machine};

/// Prints what this build can do, as one JSON object.
pub(crate) fn print() -> ExitCode {
    match serde_json::to_string(&probe()) {
        Ok(text) => answer(text),
        Err(error) => {
            complain(format_args!("recspeed-worker: the probe cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn probe() -> Probe {
    let mpi: Vec<String> = crate::mpi::BUILT.then(|| "mpi".to_owned()).into_iter().collect();
    Probe {
        protocol: PROTOCOL_VERSION,
        versions: machine::versions().into_iter().chain(device::versions(&Device::OF_BURN)).collect(),
        features: [device::features(), mpi].concat(),
        devices: device::offered(),
        absent: device::absent(),
        recommenders: catalogue::kinds().map(str::to_owned).collect(),
    }
}
