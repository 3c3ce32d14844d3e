//! `recspeed serve` as a process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::api::{EventPage, RunRecord};
use recspeed_types::{ExperimentSpec, RunEvent};
use serde_json::{Value, json};

use crate::bench::{PATIENCE, assert_story, fake_worker, spec};

/// A running server; killed when dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) base: String,
    pub(crate) token: String,
}

impl Served {
    pub(crate) fn start(home: &Path, more: &[&str]) -> Self {
        Self::start_with(&fake_worker(), home, more)
    }

    pub(crate) fn start_with(worker: &Path, home: &Path, more: &[&str]) -> Self {
        Self::spawn(Self::command(worker, home).args(more))
    }

    /// What starts it on an address of its own, with the log where that of the tests is.
    pub(crate) fn command(worker: &Path, home: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
        command.args(["serve", "--bind", "127.0.0.1:0", "--home"]).arg(home).arg("--worker").arg(worker);
        command.stderr(Stdio::inherit());
        command
    }

    /// Starts it, and waits for its link; from then on nobody reads its standard output.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let link = lines.map(Result::unwrap).find(|line| line.contains("?token=")).expect("a link is printed");
        let (base, token) = link.trim().split_once("/?token=").unwrap();
        Self { child, base: base.to_owned(), token: token.to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a power cut does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ctrl-C, and the exit status.
    pub(crate) fn end(self) -> ExitStatus {
        self.end_with(Signal::SIGINT)
    }

    /// A signal, and the exit status.
    pub(crate) fn end_with(mut self, signal: Signal) -> ExitStatus {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{signal} does not end it");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The reading end of its log, where that is a pipe.
    pub(crate) fn log(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    fn auth(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let request = ureq::get(format!("{}{path}", self.base)).header("authorization", self.auth());
        let mut answer = request.config().timeout_global(Some(PATIENCE)).build().call().unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let request = ureq::post(format!("{}{path}", self.base)).header("authorization", self.auth());
        let mut answer = request.config().timeout_global(Some(PATIENCE)).build().send(body.to_string()).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    /// The status and the answer, also where it is a refusal.
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = ureq::post(format!("{}{path}", self.base)).header("authorization", self.auth());
        let mut answer = request.config().http_status_as_error(false).build().send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    }

    pub(crate) fn submit(&self, name: &str) -> String {
        self.submit_spec(&spec(name))
    }

    pub(crate) fn submit_spec(&self, spec: &ExperimentSpec) -> String {
        self.post("/api/runs", &json!({ "spec": spec }))["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn record(&self, id: &str) -> RunRecord {
        serde_json::from_value(self.get(&format!("/api/runs/{id}"))).unwrap()
    }

    pub(crate) fn events(&self, id: &str) -> Vec<RunEvent> {
        let page: EventPage = serde_json::from_value(self.get(&format!("/api/runs/{id}/events?limit=10000"))).unwrap();
        assert!(!page.more);
        assert_story(&page.events, id);
        page.events
    }

    pub(crate) fn until(&self, id: &str, wanted: impl Fn(&RunRecord) -> bool) -> RunRecord {
        let begun = Instant::now();
        loop {
            let record = self.record(id);
            if wanted(&record) {
                return record;
            }
            assert!(begun.elapsed() < PATIENCE, "still {record:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn until_said(&self, id: &str, count: usize) {
        let begun = Instant::now();
        while self.events(id).len() < count {
            assert!(begun.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes that were started for a run.
pub(crate) fn processes_of(run: &str) -> Vec<i32> {
    let mark = format!("RECSPEED_RUN={run}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|&byte| byte == 0).any(|pair| pair == mark.as_bytes()) {
            found.push(pid);
        }
    }
    found
}
