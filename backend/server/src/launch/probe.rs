//! Asking the worker what it can do.

use std::path::Path;
use std::time::Duration;

use recspeed_types::probe::{PROTOCOL_VERSION, Probe, ProbedDevice};
use tokio::process::Command;

/// A worker that does not say what it can do.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It cannot be started.
    #[error("the worker {path} cannot be started ({cause}); build it with `make lab`, or name another with --worker")]
    Start {
        /// The program.
        path: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// It does not answer.
    #[error("the worker {path} did not answer `probe` within {seconds} s")]
    Silent {
        /// The program.
        path: String,
        /// How long it was given.
        seconds: u64,
    },
    /// Its answer is none.
    #[error(
        "the worker {path} answered `probe` with something else ({why}); build server and worker together with `make lab`"
    )]
    Answer {
        /// The program.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// It speaks another protocol.
    #[error("the worker {path} speaks protocol {given}, this server {PROTOCOL_VERSION}; build both with `make lab`")]
    Protocol {
        /// The program.
        path: String,
        /// Its protocol.
        given: u32,
    },
}

/// What `worker` and the builds beside it can do together. A build that does not answer is left out, and the log says so.
///
/// # Errors
/// [`ProbeError`] of `worker` itself.
pub async fn probe_all(worker: &Path, patience: Duration) -> Result<Probe, ProbeError> {
    let mut all = probe(worker, patience).await?;
    for build in super::builds::beside(worker) {
        match probe(&build, patience).await {
            Ok(more) => join(&mut all, more),
            Err(error) => tracing::warn!(%error, "a build of the worker cannot be used"),
        }
    }
    Ok(all)
}

/// Adds what another build can do. Only devices that it was made for are its: a run on any other is given to the usual worker.
fn join(all: &mut Probe, more: Probe) {
    let known: Vec<_> = all.devices.iter().map(|device| (device.engine.clone(), device.device.clone())).collect();
    let fresh = |device: &ProbedDevice| !known.contains(&(device.engine.clone(), device.device.clone()));
    all.devices.extend(more.devices.into_iter().filter(fresh));
    for (name, version) in more.versions {
        all.versions.entry(name).or_insert(version);
    }
    for feature in more.features {
        if !all.features.contains(&feature) {
            all.features.push(feature);
        }
    }
}

/// Runs `WORKER probe`.
///
/// # Errors
/// [`ProbeError`].
pub async fn probe(worker: &Path, patience: Duration) -> Result<Probe, ProbeError> {
    let path = || worker.display().to_string();
    let asked = Command::new(worker).arg("probe").stdin(std::process::Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(patience, asked)
        .await
        .map_err(|_| ProbeError::Silent { path: path(), seconds: patience.as_secs() })?
        .map_err(|cause| ProbeError::Start { path: path(), cause })?;
    if !output.status.success() {
        return Err(ProbeError::Answer { path: path(), why: output.status.to_string() });
    }
    let probe: Probe = serde_json::from_slice(&output.stdout)
        .map_err(|error| ProbeError::Answer { path: path(), why: error.to_string() })?;
    if probe.protocol == PROTOCOL_VERSION {
        Ok(probe)
    } else {
        Err(ProbeError::Protocol { path: path(), given: probe.protocol })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe_of(devices: &[&str], feature: &str) -> Probe {
        let device = |device: &&str| ProbedDevice {
            engine: "burn".to_owned(),
            device: (*device).to_owned(),
            title: format!("{device} of {feature}"),
            memory: None,
            own_memory: None,
            gpu: None,
            threads: None,
        };
        Probe {
            protocol: PROTOCOL_VERSION,
            versions: [("burn".to_owned(), feature.to_owned()), (feature.to_owned(), "1".to_owned())].into(),
            features: vec![feature.to_owned()],
            devices: devices.iter().map(device).collect(),
            recommenders: Vec::new(),
        }
    }

    #[test]
    fn another_build_adds_its_devices_and_changes_none() {
        let mut all = probe_of(&["flex"], "plain");
        join(&mut all, probe_of(&["flex", "libtorch-cpu"], "libtorch"));
        let titles: Vec<&str> = all.devices.iter().map(|device| device.title.as_str()).collect();
        assert_eq!(titles, ["flex of plain", "libtorch-cpu of libtorch"]);
        assert_eq!(all.versions["burn"], "plain");
        assert_eq!(all.features, ["plain", "libtorch"]);
    }
}
