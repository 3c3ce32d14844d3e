//! A worker whose process is stopped, as by SIGSTOP. Its own watches are stopped with it, so whoever started it looks. While its ranks
//! wait for each other no longer than a time that the spec gives, nobody waits for all of them for longer than that either.

use std::time::{Duration, Instant};

use recspeed_types::ExperimentSpec;

/// How often to look.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// What counts at most for one look: whoever looks so late was stopped itself.
const MOST: Duration = Duration::from_secs(1);

/// How long the worker of a spec may be stopped: `strategy.timeout`. `None` where there is one rank, which waits for nobody.
pub(crate) fn longest_stop(spec: &ExperimentSpec) -> Option<Duration> {
    // What has mistakes is told by the worker.
    let strategy = spec.resolve().ok()?.strategy;
    (strategy.ranks > 1).then(|| Duration::from_secs(u64::from(strategy.timeout)))
}

/// Looks whether a worker is stopped.
#[derive(Debug)]
pub(crate) struct StopWatch {
    pid: i32,
    limit: Duration,
    /// When it was last found stopped, unless it has gone on since.
    looked: Option<Instant>,
    lasts: Duration,
}

impl StopWatch {
    /// Of a process that was started here and not yet waited for, which may be stopped for so long.
    pub(crate) const fn new(pid: i32, limit: Duration) -> Self {
        Self { pid, limit, looked: None, lasts: Duration::ZERO }
    }

    /// The worker has said something, and runs.
    pub(crate) fn hears(&mut self) {
        (self.looked, self.lasts) = (None, Duration::ZERO);
    }

    /// Looks; the limit, where the worker has been stopped and silent for longer. Where there is no `/proc` nobody is said to be.
    pub(crate) fn over(&mut self) -> Option<Duration> {
        self.look(Instant::now(), is_stopped(self.pid))
    }

    fn look(&mut self, now: Instant, stopped: bool) -> Option<Duration> {
        if !stopped {
            self.hears();
            return None;
        }
        if let Some(before) = self.looked.replace(now) {
            self.lasts += now.saturating_duration_since(before).min(MOST);
        }
        (self.lasts > self.limit).then_some(self.limit)
    }
}

/// Whether a process is stopped, and not by a debugger, who has it go on: the third field of `/proc/PID/stat`; see `proc_pid_stat(5)`.
fn is_stopped(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in brackets, and may hold spaces and brackets itself.
    stat.rsplit_once(')').is_some_and(|(_, fields)| fields.trim_start().starts_with('T'))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_worker_may_be_stopped_for_as_long_as_its_ranks_wait_and_for_ever_where_there_is_one() {
        let default = ExperimentSpec::default();
        assert_eq!(longest_stop(&default), None);
        let mut set = vec!["strategy.kind=data-parallel".to_owned(), "strategy.ranks=2".to_owned()];
        let divided = |set: &[String]| ExperimentSpec::from_toml_with(&default.to_toml(), set).unwrap();
        assert_eq!(longest_stop(&divided(&set)), Some(Duration::from_mins(2)));
        set.push("strategy.timeout=7".to_owned());
        assert_eq!(longest_stop(&divided(&set)), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_stop_that_lasts_longer_than_the_limit_is_found_and_a_word_or_a_moment_of_running_begins_anew() {
        let limit = Duration::from_secs(2);
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut watch = StopWatch::new(0, limit);
        for ms in [0, 500, 1000, 1500, 2000] {
            assert_eq!(watch.look(at(ms), true), None, "after {ms} ms");
        }
        assert_eq!(watch.look(at(2500), true), Some(limit));
        assert_eq!(watch.look(at(3000), false), None);
        for ms in [3500, 4500, 5500] {
            assert_eq!(watch.look(at(ms), true), None, "after {ms} ms");
        }
        watch.hears();
        for ms in [6000, 7000, 8000] {
            assert_eq!(watch.look(at(ms), true), None, "after {ms} ms");
        }
        assert_eq!(watch.look(at(8001), true), Some(limit));
    }

    #[test]
    fn time_in_which_nobody_looked_is_not_held_against_the_worker() {
        let (limit, begun) = (Duration::from_secs(2), Instant::now());
        let mut watch = StopWatch::new(0, limit);
        assert_eq!(watch.look(begun, true), None);
        // Both were stopped for an hour.
        let hour = begun + Duration::from_hours(1);
        assert_eq!(watch.look(hour, true), None);
        assert_eq!(watch.look(hour + MOST, true), None);
        assert_eq!(watch.look(hour + MOST + LOOK, true), Some(limit));
    }

    #[test]
    fn a_process_is_seen_to_be_stopped_and_to_go_on() {
        if !std::path::Path::new("/proc/self/stat").exists() {
            eprintln!("skipped: this system has no /proc");
            return;
        }
        let mut process =
            Command::new("sh").args(["-c", "kill -STOP $$; read line"]).stdin(Stdio::piped()).spawn().unwrap();
        let pid = process.id() as i32;
        let begun = Instant::now();
        let until = |stopped: bool| {
            while is_stopped(pid) != stopped {
                assert!(begun.elapsed() < Duration::from_secs(20), "it should be {stopped}");
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        until(true);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGCONT).unwrap();
        until(false);
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(!is_stopped(pid));
    }
}
