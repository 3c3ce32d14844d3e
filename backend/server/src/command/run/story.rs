//! What a run has said so far, held to the rules of the protocol.

use std::collections::BTreeMap;
use std::path::Path;

use recspeed_types::event::{MeasuredOn, Sent};
use recspeed_types::protocol::Protocol;
use recspeed_types::{EventKind, RunEvent, RunId};

use super::super::figures;
use super::ranks::Ranks;
use super::worker_error::WorkerError;

/// What a run has said so far.
#[derive(Debug)]
pub(super) struct Story {
    run: RunId,
    protocol: Protocol,
    last: Option<EventKind>,
    checkpoint: Option<(String, u64)>,
    warnings: Vec<String>,
    /// Training losses in the order of the steps.
    pub(super) losses: Vec<f64>,
    /// The most bytes of each rank, by its own ledger: what it first told.
    held: BTreeMap<u32, u64>,
    /// The most bytes that the process of each rank has held.
    peaks: BTreeMap<u32, u64>,
    /// What each rank has sent, in the steps that are told, or in all where none is.
    sent: BTreeMap<u32, Sent>,
    /// When ranks did what: those of a training tell it of a few steps.
    spans: Vec<RunEvent>,
}

impl Story {
    /// The beginning of `run`.
    pub(super) fn new(run: RunId) -> Self {
        Self {
            protocol: Protocol::new(run.clone(), 0),
            run,
            last: None,
            checkpoint: None,
            warnings: Vec::new(),
            losses: Vec::new(),
            held: BTreeMap::new(),
            peaks: BTreeMap::new(),
            sent: BTreeMap::new(),
            spans: Vec::new(),
        }
    }

    /// The run that it is of.
    pub(super) const fn run(&self) -> &RunId {
        &self.run
    }

    /// When ranks did what.
    pub(super) fn spans(&self) -> &[RunEvent] {
        &self.spans
    }

    /// What the ranks of a divided training have told.
    pub(super) const fn ranks(&self) -> Ranks<'_> {
        Ranks { held: &self.held, sent: &self.sent, spans: self.spans.as_slice() }
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// [`WorkerError::Protocol`] for another run's event, a gap in `seq`, or an event behind the last one.
    pub(super) fn hear(&mut self, event: RunEvent) -> Result<(), WorkerError> {
        self.protocol.hear(&event).map_err(|wrong| WorkerError::Protocol { what: format!("its event {wrong}") })?;
        if matches!(event.kind, EventKind::Span { .. }) {
            self.spans.push(event);
            return Ok(());
        }
        match event.kind {
            EventKind::Warning { message } => self.warnings.push(message),
            EventKind::Checkpoint { file, step, .. } => self.checkpoint = Some((file, step)),
            EventKind::Metric { name, split: MeasuredOn::Train, value, .. } if name == "loss" => {
                self.losses.push(value);
            }
            EventKind::Memory { rank, bytes } => {
                self.held.entry(rank).or_insert(bytes.on_the_device() + bytes.host);
                let peak = self.peaks.entry(rank).or_insert(0);
                *peak = bytes.peak.max(*peak);
            }
            EventKind::Traffic { rank, all, told } => {
                self.sent.insert(rank, if told.steps > 0 { told } else { all });
            }
            kind if kind.is_last() => self.last = Some(kind),
            _ => {}
        }
        Ok(())
    }

    /// Whether the last event has come.
    pub(super) const fn is_over(&self) -> bool {
        self.last.is_some()
    }

    /// The most bytes of each rank, by its own ledger.
    pub(super) fn held(&self) -> Vec<u64> {
        self.held.values().copied().collect()
    }

    /// The most bytes that the process of each rank has held.
    pub(super) fn peaks(&self) -> Vec<u64> {
        self.peaks.values().copied().collect()
    }

    /// The last event.
    pub(super) const fn take_last(&mut self) -> Option<EventKind> {
        self.last.take()
    }

    /// Warnings that nobody has seen yet. When bars were visible they were shown as they came, and a result lists those
    /// that are about it; what only the host knows, as a checkpoint that could not be written, is in no result.
    pub(super) fn unshown_warnings(&self, bars_visible: bool) -> Vec<&str> {
        let in_result: &[String] = match &self.last {
            Some(EventKind::Finished { summary }) => &summary.warnings,
            _ => &[],
        };
        let unshown = self.warnings.iter().filter(|warning| !bars_visible && !in_result.contains(warning));
        unshown.map(String::as_str).collect()
    }

    /// What is left of an interrupted run, in one sentence.
    pub(super) fn kept(&self, folder: Option<&Path>) -> String {
        match (&self.checkpoint, folder) {
            (Some((file, step)), Some(folder)) => {
                let file = folder.join(file);
                format!(
                    "Kept: the checkpoint {} of step {}; add --resume with that file to continue.",
                    file.display(),
                    figures::count(*step)
                )
            }
            (Some((file, step)), None) => {
                format!("Kept: the checkpoint {file} of step {}.", figures::count(*step))
            }
            (None, Some(_)) => "Nothing was kept: no checkpoint had been written yet.".to_owned(),
            (None, None) => "Nothing was kept; with --checkpoint-dir DIR a training can be continued.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(run: &str, seq: u64, kind: EventKind) -> RunEvent {
        RunEvent { run: RunId::new(run).unwrap(), seq, at_us: 0, kind }
    }

    #[test]
    fn what_was_kept_is_named() {
        let mut story = Story::new(RunId::new("r1").unwrap());
        assert!(story.kept(None).starts_with("Nothing was kept; with --checkpoint-dir"));
        let kind = EventKind::Checkpoint { file: "step-1200.bin".into(), step: 1200, sha256: String::new() };
        story.hear(event("r1", 0, kind)).unwrap();
        let kept = story.kept(Some(Path::new("kept")));
        assert!(kept.contains("kept/step-1200.bin of step 1,200"), "{kept}");
    }
}
