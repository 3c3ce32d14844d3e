//! A study at work: `recspeed study NAME --json`, a process of its own.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use recspeed_types::RunId;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::said::Said;
use crate::launch;
use crate::store::ProcessId;

/// Bytes of a report.
const MOST_BYTES: usize = 8 << 20;

/// How a study ended.
pub(super) enum End {
    /// It wrote this.
    Report(Vec<u8>),
    /// It was ended.
    Stopped,
    /// It left without a report; why.
    Failed(String),
}

/// The mark of the processes of a study, as [`launch::end_orphans`] looks for it; another lab on this machine has another one.
pub(super) fn mark(name: &str, home: &Path) -> Option<RunId> {
    let mut lab = DefaultHasher::new();
    home.hash(&mut lab);
    RunId::new(format!("study-{name}-{:08x}", lab.finish() as u32)).ok()
}

/// Ends whatever is left of a study: its workers are in groups of their own.
pub(super) async fn end_all(name: &str, home: &Path) {
    if let Some(mark) = mark(name, home) {
        end_marked(mark).await;
    }
}

async fn end_marked(mark: RunId) {
    let name = mark.to_string();
    let looked = tokio::task::spawn_blocking(move || launch::end_orphans(ProcessId { pid: 0, start: 0 }, &mark));
    if let Ok(found @ 1..) = looked.await {
        tracing::warn!(name, found, "ended what was left of a study");
    }
}

/// Makes a study; `hear` gets what it has said whenever there is more.
pub(super) async fn make(
    program: &Path,
    (name, home): (&str, &Path),
    arguments: &[String],
    grace: Duration,
    cancel: &CancellationToken,
    mut hear: impl FnMut(&Said),
) -> End {
    let Some(mark) = mark(name, home) else { return End::Failed("Its name is none of a study.".to_owned()) };
    let mut child = match launch::start(program, &mark, arguments) {
        Ok(child) => child,
        Err(error) => return End::Failed(format!("The study cannot be started ({error}).")),
    };
    let outcome = listen(&mut child, &mark, grace, cancel, &mut hear).await;
    end_marked(mark).await;
    let (status, report, said) = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return End::Failed(format!("The study cannot be listened to ({error}).")),
    };
    if cancel.is_cancelled() {
        return End::Stopped;
    }
    if status.success() {
        return End::Report(report);
    }
    // A program that gives up says so behind its name; help may follow.
    let lines = said.lines();
    let last = lines.iter().rev().find_map(|line| line.strip_prefix("recspeed: ").or(line.strip_prefix("error: ")));
    let last = last.or(lines.last().map(String::as_str)).unwrap_or_default();
    End::Failed(format!("The study ended with {status}. {last}").trim_end().to_owned())
}

async fn listen(
    child: &mut Child,
    mark: &RunId,
    grace: Duration,
    cancel: &CancellationToken,
    hear: &mut impl FnMut(&Said),
) -> std::io::Result<(ExitStatus, Vec<u8>, Said)> {
    drop(child.stdin.take());
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut report, mut said) = (Vec::new(), Said::default());
    let (mut from_out, mut from_err) = (vec![0; 64 << 10], vec![0; 4 << 10]);
    let mut stopping = false;
    let mut kill_at: Option<Instant> = None;
    loop {
        tokio::select! {
            () = cancel.cancelled(), if !stopping => {
                stopping = true;
                launch::signal(pid, Signal::SIGTERM);
                kill_at = Some(Instant::now() + grace);
            }
            () = sleep_until(kill_at.unwrap_or_else(Instant::now).into()), if kill_at.is_some() => {
                kill_at = None;
                launch::signal(pid, Signal::SIGKILL);
                // Its workers are in groups of their own and hold what is listened to.
                end_marked(mark.clone()).await;
            }
            read = some(&mut out, &mut from_out), if out.is_some() => match read? {
                0 => out = None,
                read if report.len() + read > MOST_BYTES => {
                    launch::signal(pid, Signal::SIGKILL);
                    return Err(std::io::Error::other(format!("it wrote more than {MOST_BYTES} bytes")));
                }
                read => report.extend_from_slice(from_out.get(..read).unwrap_or_default()),
            },
            read = some(&mut err, &mut from_err), if err.is_some() => match read? {
                0 => err = None,
                read => {
                    said.hear(from_err.get(..read).unwrap_or_default());
                    hear(&said);
                }
            },
            status = child.wait(), if out.is_none() && err.is_none() => return Ok((status?, report, said)),
        }
    }
}

async fn some(source: &mut Option<impl AsyncRead + Unpin>, into: &mut [u8]) -> std::io::Result<usize> {
    match source {
        Some(source) => source.read(into).await,
        None => std::future::pending().await,
    }
}
