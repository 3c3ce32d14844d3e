//! What moves while a run is on: a bar for the current phase and a line for the loss, on standard error, only where that
//! is a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use recspeed_types::EventKind;
use recspeed_types::event::{MeasuredOn, Phase};

use super::super::{figures, output};

/// After this long without an event the bar says so.
const QUIET: Duration = Duration::from_secs(10);
/// Places of the loss line.
const SPARKS: usize = 32;

/// The moving lines.
pub(in crate::command) struct Screen {
    bars: MultiProgress,
    phase: Option<ProgressBar>,
    loss: Option<ProgressBar>,
    note: Option<ProgressBar>,
    train: Vec<f64>,
    validation: Vec<f64>,
    visible: bool,
}

impl Screen {
    /// An empty screen headed by `title`; hidden when standard error is no terminal.
    pub(in crate::command) fn new(title: &str) -> Self {
        let target = ProgressDrawTarget::stderr();
        let visible = !target.is_hidden();
        let bars = MultiProgress::with_draw_target(target);
        if visible {
            let _ = bars.println(output::printable(title));
        }
        Self { bars, phase: None, loss: None, note: None, train: Vec::new(), validation: Vec::new(), visible }
    }

    /// Whether anybody sees it.
    pub(in crate::command) const fn visible(&self) -> bool {
        self.visible
    }

    /// Takes an event in.
    pub(super) fn show(&mut self, kind: &EventKind) {
        if !self.visible {
            return;
        }
        match kind {
            EventKind::Phase { phase } => self.begin(*phase),
            EventKind::Progress { done, total, unit } => {
                if let Some(bar) = &self.phase {
                    bar.set_length(*total);
                    bar.set_position(*done);
                    bar.set_message(output::printable(unit));
                }
            }
            EventKind::Metric { name, split, epoch, value, .. } => self.measure(name, *split, *epoch, *value),
            EventKind::Warning { message } => {
                let _ = self.bars.println(output::printable(&format!("recspeed: warning: {message}")));
            }
            _ => {}
        }
    }

    /// Says how long nothing was heard, once that is long.
    pub(super) fn silence(&self, quiet: Duration) {
        if let Some(bar) = &self.phase
            && quiet > QUIET
        {
            bar.set_message(format!("(no word from the worker for {})", figures::seconds(quiet.as_secs_f64().floor())));
        }
    }

    /// Shows a sentence below the bars.
    pub(in crate::command) fn note(&mut self, text: &str) {
        if self.visible {
            let line = self.note.get_or_insert_with(|| line(&self.bars));
            line.set_message(text.to_owned());
        }
    }

    /// Removes everything that moves.
    pub(in crate::command) fn clear(&mut self) {
        for bar in [self.phase.take(), self.loss.take(), self.note.take()].into_iter().flatten() {
            bar.finish_and_clear();
        }
        let _ = self.bars.clear();
    }

    fn begin(&mut self, phase: Phase) {
        if let Some(bar) = self.phase.take() {
            bar.finish();
        }
        let name = match phase {
            Phase::Load => "load",
            Phase::Fit => "fit",
            Phase::Evaluate => "evaluate",
        };
        let bar = match &self.loss {
            Some(loss) => self.bars.insert_before(loss, ProgressBar::new(0)),
            None => self.bars.add(ProgressBar::new(0)),
        };
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix:<9} {bar:32.cyan/dim} {human_pos}/{human_len} {msg} {elapsed:>4} {eta:>4}",
        ) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_prefix(name);
        bar.enable_steady_tick(Duration::from_millis(250));
        self.phase = Some(bar);
    }

    fn measure(&mut self, name: &str, split: MeasuredOn, epoch: f64, value: f64) {
        let series = match split {
            MeasuredOn::Train if name == "loss" => &mut self.train,
            MeasuredOn::Validation => &mut self.validation,
            _ => return,
        };
        series.push(value);
        let mut text = String::new();
        for (label, series) in [("loss", &self.train), ("validation", &self.validation)] {
            if let Some(last) = series.last() {
                if !text.is_empty() {
                    text.push_str("   ");
                }
                // Writing into a String cannot fail.
                let _ = write!(text, "{label} {} {}", figures::sparkline(series, SPARKS), figures::value(*last));
            }
        }
        let loss = self.loss.get_or_insert_with(|| line(&self.bars));
        loss.set_message(format!("{text}   epoch {epoch:.2}"));
    }
}

fn line(bars: &MultiProgress) -> ProgressBar {
    let bar = bars.add(ProgressBar::new_spinner());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    bar
}
