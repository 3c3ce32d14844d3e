//! `recspeed serve`: puts the parts together, prints the link, and ends in order.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use axum::serve::ListenerExt;
use clap::Args;
use recspeed_datasets::DataHome;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::access::{Access, Hosts, Secrets};
use crate::answers::{Answers, Patience};
use crate::api::AppState;
use crate::home::{self, Home, HomeError, MODEL_SPACE};
use crate::lab::{Lab, LabError, LabOptions, ShowcaseError, Stopped, import_showcase};
use crate::launch::{LaunchOptions, find_worker};
use crate::log::Log;
use crate::page::{Assets, FrameAncestors, SecurityHeaders};
use crate::store::{Reserve, Store, StoreError};
use crate::studies::Studies;

/// How long answers may take to end when the server does.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// Time between a polite end of a worker and a hard one, as the protocol promises.
const GRACE: Duration = Duration::from_secs(5);
/// Threads for reads, files and uploads.
const BLOCKING_THREADS: usize = 16;
/// How long the last lines of the log may take to be written.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How often the store's reserve is looked at.
const REFILL: Duration = Duration::from_mins(1);

/// Options of `recspeed serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8080", env = "RECSPEED_BIND")]
    bind: SocketAddr,
    /// Folder for runs, secrets and data sets [default: $XDG_DATA_HOME/recspeed]
    #[arg(long, env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
    /// Runs at the same time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    slots: u32,
    /// The worker program [default: recspeed-worker beside this program, then in PATH]
    #[arg(long)]
    worker: Option<PathBuf>,
    /// Longest time of one run, in seconds
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    time_limit: u64,
    /// Most memory of one run, in MiB (nine tenths of the machine's unless set)
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    memory_limit: Option<u64>,
    /// Room for the models of finished runs, in MiB; the oldest make room for new ones, 0 keeps none
    #[arg(long, value_name = "MIB", default_value_t = MODEL_SPACE, value_parser = clap::value_parser!(u64).range(0..=1_073_741_824))]
    model_space: u64,
    /// Another name under which this server is reached, as lab.example (may be given several times)
    #[arg(long)]
    allow_host: Vec<String>,
    /// Pages that may show the lab inside them: none, self, or addresses separated by spaces
    #[arg(long, default_value = "self")]
    frame_ancestors: FrameAncestors,
}

/// Why the server does not start or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What an earlier server left.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// Its data sets.
    #[error("{0}")]
    Data(String),
    /// Its example.
    #[error(transparent)]
    Showcase(#[from] ShowcaseError),
    /// Its address.
    #[error("cannot listen on {bind}: {cause}; end what listens there, or choose another address with --bind")]
    Bind {
        /// The address.
        bind: SocketAddr,
        /// The system's words.
        cause: std::io::Error,
    },
    /// A part of it, by a mistake of the lab.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Anything else that the system refuses.
    #[error("the server cannot go on: {0}")]
    Io(#[from] std::io::Error),
}

/// Serves until it is told to end; the answer is the process's exit status.
pub fn run(args: ServeArgs) -> ExitCode {
    let log = match Log::start() {
        Ok(log) => log,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "recspeed: {}", ServeError::Io(error));
            return ExitCode::FAILURE;
        }
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(ServeError::from)
        .and_then(|runtime| runtime.block_on(serve(args)));
    let status = match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.line(format!("recspeed: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    };
    log.finish(LAST_LINES);
    status
}

async fn serve(args: ServeArgs) -> Result<(), ServeError> {
    let home = Home::open(args.home)?;
    // The address first: a lab that cannot be reached must not take runs up again.
    let listener = TcpListener::bind(args.bind).await.map_err(|cause| ServeError::Bind { bind: args.bind, cause })?;
    let bound = listener.local_addr()?;
    if let Err(cause) = home::note_model_space(home.root(), args.model_space) {
        tracing::warn!(%cause, "runs of the terminal keep models as far as an earlier server had room for them");
    }
    let reserve = Reserve::at(&home.reserve());
    reserve.refill();
    let store = Store::open(&home.store(), Some(reserve.clone()))?;
    let secrets = Secrets::of(&home)?;
    let access = Access::new(secrets, Hosts::for_bind(bound.ip(), &args.allow_host));
    match import_showcase(&store).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "imported the example runs"),
        Err(ShowcaseError::Store(error)) => return Err(error.into()),
        Err(error) => tracing::error!(%error, "the lab starts without its example"),
    }
    let ends = CancellationToken::new();
    let options = LabOptions {
        slots: args.slots as usize,
        launch: LaunchOptions {
            worker: find_worker(args.worker),
            data_home: home.root().to_owned(),
            time_limit: Duration::from_secs(args.time_limit),
            memory_limit: args.memory_limit.map(|mib| mib << 20),
            grace: GRACE,
            model_space: args.model_space << 20,
        },
        runs: home.runs(),
    };
    let answers = Answers::new(options.launch.worker.clone(), options.launch.models(), Patience::default());
    let lab = Lab::open(store, options, ends.clone()).await?;
    let assets = Assets::embedded();
    let security = SecurityHeaders::new(&assets.inline_scripts(), &args.frame_ancestors);
    let data = DataHome::open(Some(home.root().to_owned())).map_err(|error| ServeError::Data(error.to_string()))?;
    let studies = Studies::open(lab.clone(), std::env::current_exe()?).await;
    let state = AppState::new(lab.clone(), answers, data, studies);
    let link = format!("http://{}/?token={}", reachable(bound), access.token());
    let app = crate::app::app(state, access, assets, security);

    tokio::spawn(keep_reserve(reserve, ends.clone()));
    lab.probe().await;
    announce(&link)?;
    if !bound.ip().is_loopback() {
        tracing::warn!(
            address = %bound,
            "the lab listens beyond this machine, without encryption: put a proxy with TLS before it, and name it with --allow-host"
        );
    }

    let signalled = ends.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        signalled.cancel();
        tracing::info!("ending: runs are asked for a checkpoint");
    });
    // Events are small and must not wait for each other.
    let listener = listener.tap_io(|connection| {
        if let Err(cause) = connection.set_nodelay(true) {
            tracing::debug!(%cause, "a connection gathers small writes");
        }
    });
    // Made into a service once: a router that is handed over as it is copies all its routes for every connection, ten kilobytes that
    // each listener would hold.
    let service = app.into_make_service();
    let answered = axum::serve(listener, service).with_graceful_shutdown(ends.clone().cancelled_owned()).into_future();
    let answers = async move { answered.await.map_err(|cause| cause.to_string()) };
    let answered = lab.spawn_watched("the task that answers requests", answers);
    ends.cancelled().await;
    if tokio::time::timeout(LAST_ANSWERS, answered).await.is_err() {
        tracing::warn!("some answers were cut off");
    }
    lab.finished().await;
    lab.stopped().map_or(Ok(()), |stopped| Err(stopped.clone().into()))
}

/// The address as a browser on this machine reaches it.
fn reachable(bound: SocketAddr) -> String {
    if bound.ip().is_unspecified() { format!("127.0.0.1:{}", bound.port()) } else { bound.to_string() }
}

/// The one line on standard output, so that a program can read it too.
fn announce(link: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "The lab is open. The owner's link:\n\n    {link}\n\nKeep it to yourself; Ctrl-C ends the lab.")?;
    out.flush()
}

async fn keep_reserve(reserve: Reserve, ends: CancellationToken) {
    loop {
        tokio::select! {
            () = ends.cancelled() => return,
            () = tokio::time::sleep(REFILL) => {
                let reserve = reserve.clone();
                // A panic in there would only mean no reserve.
                let _ = tokio::task::spawn_blocking(move || reserve.refill()).await;
            }
        }
    }
}

async fn wait_for_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
