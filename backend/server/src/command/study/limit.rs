//! How long a measurement may say nothing, or take, before it is ended and the study goes on: `--limit`.

use std::time::Duration;

use recspeed_types::ExperimentSpec;

use super::StudyArgs;
use crate::command::figures;

/// Seconds that may be asked for at most: a week.
pub(super) const MOST: u64 = 604_800;

/// Silence of another framework. Keras tells of whole epochs only.
const ENGINE: Duration = Duration::from_mins(15);
/// Silence of the lab's own worker, which may be in the midst of one long step on a large data set.
const WORKER: Duration = Duration::from_mins(30);
/// Time of a container: TensorFlow reads a few thousand rows one by one in as many milliseconds.
const CONTAINER: Duration = Duration::from_mins(30);
/// Time of a browser's tab.
const TAB: Duration = Duration::from_mins(10);

impl StudyArgs {
    /// How long a run of this spec may say nothing.
    pub(super) fn silence_of(&self, spec: &ExperimentSpec) -> Duration {
        self.limit_or(if spec.engine.kind.is_reference() { ENGINE } else { WORKER })
    }

    /// How long a container may take.
    pub(super) fn time_of_container(&self) -> Duration {
        self.limit_or(CONTAINER)
    }

    /// How long a tab may take.
    pub(super) fn time_of_tab(&self) -> Duration {
        self.limit_or(TAB)
    }

    fn limit_or(&self, usual: Duration) -> Duration {
        self.limit.map_or(usual, Duration::from_secs)
    }
}

/// What is said of a row that said nothing for as long as it may.
pub(super) fn silent(row: &str, limit: Duration) -> String {
    format!("“{row}” said nothing for {}, its limit, and was ended; {}", spoken(limit), longer(limit))
}

/// What is said of a row that was not over after the time that it may take.
pub(super) fn late(row: &str, limit: Duration) -> String {
    format!("“{row}” was not over after {}, its limit, and was ended; {}", spoken(limit), longer(limit))
}

fn spoken(limit: Duration) -> String {
    figures::whole_seconds(limit.as_secs_f64())
}

fn longer(limit: Duration) -> String {
    format!("`--limit {}` gives it longer", limit.as_secs().max(1).saturating_mul(2).min(MOST))
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::EngineKind;

    use super::*;

    #[test]
    fn a_limit_that_was_set_holds_for_every_row_and_else_each_kind_has_its_own() {
        let of = |kind| {
            let mut spec = ExperimentSpec::default();
            spec.engine.kind = kind;
            spec
        };
        let all = |args: &StudyArgs| {
            let [ours, theirs] = [EngineKind::Burn, EngineKind::Pytorch].map(|kind| args.silence_of(&of(kind)));
            [ours, theirs, args.time_of_container(), args.time_of_tab()].map(|limit| limit.as_secs())
        };
        assert_eq!(all(&StudyArgs::default()), [1800, 900, 1800, 600]);
        assert_eq!(all(&StudyArgs { limit: Some(7), ..StudyArgs::default() }), [7; 4]);
    }

    #[test]
    fn a_row_that_ran_out_names_itself_its_limit_and_how_to_change_it() {
        assert_eq!(
            silent("PyTorch", Duration::from_secs(30)),
            "“PyTorch” said nothing for 30 s, its limit, and was ended; `--limit 60` gives it longer"
        );
        let words = late("TensorFlow", Duration::from_secs(1));
        assert!(words.starts_with("“TensorFlow” was not over after 1 s, its limit"), "{words}");
        assert!(late("x", Duration::from_secs(MOST)).ends_with(&format!("`--limit {MOST}` gives it longer")));
    }
}
