//! How an installation is shown: one bar of bytes with the installer's last line, or lines where there is no terminal.

use indicatif::{ProgressBar, ProgressStyle};
use recspeed_engines::Step;

use crate::command::output;

/// Characters of a line of the installer that fit beside the bar.
const WORDS: usize = 60;

pub(super) struct Screen {
    bar: ProgressBar,
    name: &'static str,
}

impl Screen {
    /// `bytes`: of what is installed, and for a while of what was downloaded too.
    pub(super) fn new(name: &'static str, bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes);
        let style =
            ProgressStyle::with_template("{prefix} {bar:30} {bytes} of about {total_bytes}, {elapsed}  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name);
        Self { bar, name }
    }

    pub(super) fn show(&mut self, step: &Step) {
        let words = match step {
            Step::Bytes(bytes) => return self.bar.set_position(*bytes),
            // Read when all is over, too.
            Step::Mend(why) => {
                return self.bar.suspend(|| output::complain(&format!("{}: {why}", self.name)));
            }
            Step::Environment => "making a Python environment",
            Step::Check => "trying whether it starts",
            Step::Compile => "compiling a part of it, then trying whether it starts",
            Step::Installer(line) => line.trim(),
        };
        if words.is_empty() {
            return;
        }
        let words = output::printable(words);
        self.bar.set_message(words.chars().take(WORDS).collect::<String>());
        if self.bar.is_hidden() {
            output::complain(&format!("{}: {words}", self.name));
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
