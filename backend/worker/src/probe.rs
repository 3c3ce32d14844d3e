//! `recspeed-worker probe`.

use std::process::ExitCode;

use recspeed_types::catalogue;
use recspeed_types::probe::{PROTOCOL_VERSION, Probe, ProbedDevice};
use recspeed_types::spec::{Device, EngineKind};

use crate::machine;

/// Prints what this build can do, as one JSON object.
pub(crate) fn print() -> ExitCode {
    match serde_json::to_string(&probe()) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("recspeed-worker: the probe cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn probe() -> Probe {
    Probe {
        protocol: PROTOCOL_VERSION,
        versions: machine::versions(),
        features: Vec::new(),
        devices: vec![ProbedDevice {
            engine: EngineKind::Burn.as_str().to_owned(),
            device: Device::Flex.as_str().to_owned(),
            title: format!("Burn flex on {}", machine::describe()),
            memory: machine::memory_total(),
            threads: Some(machine::cores()),
        }],
        recommenders: catalogue::kinds().map(str::to_owned).collect(),
    }
}
