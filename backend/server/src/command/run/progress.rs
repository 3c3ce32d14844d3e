//! What moves while a run is on: a bar for the current phase and a line for the loss, on standard error where that is a
//! terminal. Elsewhere lines may say it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use recspeed_types::EventKind;
use recspeed_types::event::{MeasuredOn, Phase};

use super::super::{figures, output};
use super::lines::{Among, Lines};

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
    /// Where nobody sees bars, lines in their place, and since when.
    lines: Option<(Lines, Instant)>,
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
        let (train, validation) = (Vec::new(), Vec::new());
        Self { bars, phase: None, loss: None, note: None, train, validation, visible, lines: None }
    }

    /// The same for a single run: where standard error is no terminal, it says in lines how far the run is.
    pub(super) fn with_lines(title: &str) -> Self {
        let screen = Self::new(title);
        let lines = (!screen.visible).then(|| (Lines::default(), Instant::now()));
        Self { lines, ..screen }
    }

    /// The same for one of several runs. The first of them began at `begun`, and the last line of any was said at `last`, counted from
    /// then.
    pub(in crate::command) fn among(among: &Among, begun: Instant, last: Option<Duration>) -> Self {
        let screen = Self::new(&among.title);
        let lines = (!screen.visible).then(|| (Lines::among(among.clone(), begun.elapsed(), last), begun));
        Self { lines, ..screen }
    }

    /// When the last line was said of this run or of those before it.
    pub(in crate::command) fn last_line(&self) -> Option<Duration> {
        self.lines.as_ref().and_then(|(lines, _)| lines.last())
    }

    /// Whether anybody sees it.
    pub(in crate::command) const fn visible(&self) -> bool {
        self.visible
    }

    /// Takes an event in.
    pub(super) fn show(&mut self, kind: &EventKind) {
        if let Some((lines, begun)) = &mut self.lines {
            say(lines.hear(kind, begun.elapsed()));
        }
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
            // What is foretold to take long stays above the bars.
            EventKind::Log { message, seconds: Some(_) } => {
                let _ = self.bars.println(output::printable(&format!("recspeed: {message}")));
            }
            EventKind::Warning { message } => {
                let _ = self.bars.println(output::printable(&format!("recspeed: warning: {message}")));
            }
            _ => {}
        }
    }

    /// Says how long nothing was heard, once that is long, or how long was foretold.
    pub(super) fn silence(&mut self, quiet: Duration, foretold: Option<f64>) {
        if let Some((lines, begun)) = &mut self.lines {
            say(lines.due(begun.elapsed()));
        }
        if let Some(bar) = &self.phase
            && quiet > QUIET
        {
            bar.set_message(match foretold {
                Some(seconds) => format!("(about {} were foretold)", figures::whole_seconds(seconds)),
                None => format!("(no word from the worker for {})", figures::whole_seconds(quiet.as_secs_f64())),
            });
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
        let bar = match &self.loss {
            Some(loss) => self.bars.insert_before(loss, ProgressBar::new(0)),
            None => self.bars.add(ProgressBar::new(0)),
        };
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix:<9} {bar:32.cyan/dim} {human_pos}/{human_len} {msg} {elapsed:>4} {eta:>4}",
        ) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_prefix(name(phase));
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

/// A stage in a word.
pub(super) const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Load => "load",
        Phase::Fit => "fit",
        Phase::Evaluate => "evaluate",
    }
}

fn say(line: Option<String>) {
    if let Some(line) = line {
        output::complain(&format!("recspeed: {line}"));
    }
}

fn line(bars: &MultiProgress) -> ProgressBar {
    let bar = bars.add(ProgressBar::new_spinner());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    bar
}
