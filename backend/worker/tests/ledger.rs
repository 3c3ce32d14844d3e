//! The ledger of the ranks beside what the operating system says of the process that they are threads of.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use recspeed_plan::{Assumed, EvaluationOutlook, Judging, Lessons, Outlook, ProcessNeeds, Whole, is_whole, of_spec};
use recspeed_types::{EventKind, ExperimentSpec, Extent, RunEvent};

/// 20,313,605 parameters, and few rows: 310 MiB with gradients and both moments of Adam.
const LARGE: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 400\n[recommender]\nkind = \
                     \"densenet\"\nlayers = 100\ngrowth = 64\n[training]\nepochs = 2\nbatch_size = 64\n[evaluation]\nmetrics = [\"auc\"]\n";

const MIB: f64 = 1024.0 * 1024.0;

fn run(spec: &ExperimentSpec) -> Vec<RunEvent> {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_recspeed-worker"))
        .arg("--data-home")
        .arg(home.path())
        .env_remove("RECSPEED_DATA")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(spec.to_json().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `cargo test --release --workspace --test ledger -- --ignored --nocapture` prints the table of docs/parallel.md.
#[test]
#[ignore = "prints a table, in about a minute"]
fn ledgers_and_processes_by_level_and_ranks() {
    println!(
        "| ranks | ZeRO | a rank, planned | a rank, ledger | all ranks, planned | all ranks, ledger | process, foretold | process, peak |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (ranks, level) in [(1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (4, 0), (4, 1), (4, 2), (4, 3), (16, 3)] {
        let strategy =
            format!("[strategy]\nkind = \"hybrid\"\nstages = 1\nmicro_batches = 1\nranks = {ranks}\nstage = {level}\n");
        let spec = ExperimentSpec::from_toml(&format!("{LARGE}{strategy}")).unwrap();
        let mut strategy = of_spec(&spec.resolve().unwrap(), Assumed::threads(1.0)).unwrap();
        strategy.needs.before = ProcessNeeds::of_rows(400);
        let plan = Outlook::of(&strategy).unwrap();
        let foretold = plan.process(&strategy).total();
        let events = run(&spec);
        let held = (0..ranks).map(|rank| {
            let of_rank = events.iter().find_map(|event| match &event.kind {
                EventKind::Memory { rank: of, bytes } if *of == rank && bytes.activations > 0 => Some(*bytes),
                _ => None,
            });
            let bytes = of_rank.expect("each rank tells what it held");
            bytes.on_the_device()
        });
        let held: Vec<u64> = held.collect();
        let peak = events.iter().find_map(|event| match &event.kind {
            EventKind::Finished { summary } => Some(summary.memory.peak),
            _ => None,
        });
        let peak = peak.expect("the run finishes");
        let (most, sum) = (held.iter().max().unwrap(), held.iter().sum::<u64>());
        let [planned, most, all, sum, foretold, peak] =
            [plan.fullest().1, *most, plan.together(ranks as usize), sum, foretold, peak]
                .map(|bytes| format!("{:.1} MiB", bytes as f64 / MIB));
        println!("| {ranks} | {level} | {planned} | {most} | {all} | {sum} | {foretold} | {peak} |");
    }
}

#[test]
fn a_process_holds_no_more_than_is_foretold_of_it() {
    // 5 million parameters.
    let medium = LARGE.replace("layers = 100", "layers = 50");
    for strategy in [
        "kind = \"single\"",
        "kind = \"pipeline\"\nstages = 2\nmicro_batches = 4",
        "kind = \"pipeline\"\nstages = 4\nmicro_batches = 4",
        "kind = \"data-parallel\"\nranks = 2",
        "kind = \"zero\"\nranks = 4\nstage = 1",
        "kind = \"zero\"\nranks = 4\nstage = 3",
        "kind = \"hybrid\"\nranks = 2\nstages = 1\ntensor = 2",
    ] {
        let spec = ExperimentSpec::from_toml(&format!("{medium}[strategy]\n{strategy}\n")).unwrap();
        let mut plan = of_spec(&spec.resolve().unwrap(), Assumed::threads(1.0)).unwrap();
        plan.needs.before = ProcessNeeds::of_rows(400);
        let foretold = Outlook::of(&plan).unwrap().process(&plan).total() as f64 / MIB;
        let held = peak(&run(&spec));
        println!("{strategy:?}: {held:.1} MiB, {foretold:.1} MiB foretold, {:.2} times", foretold / held);
        // Where other processes hold up some threads, what each holds for a moment comes together more often: up to a twentieth more.
        assert!(held <= 1.05 * foretold, "{strategy}: {held:.1} MiB, {foretold:.1} MiB foretold");
        assert!(foretold <= 1.5 * held, "{strategy}: {held:.1} MiB, {foretold:.1} MiB foretold");
    }
}

/// The most that the process held.
fn peak(events: &[RunEvent]) -> f64 {
    let of = |event: &RunEvent| match &event.kind {
        EventKind::Finished { summary } => Some(summary.memory.peak),
        _ => None,
    };
    events.iter().find_map(of).expect("the run finishes") as f64 / MIB
}

#[test]
fn an_evaluation_takes_no_more_than_is_foretold_of_it() {
    let frame = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[training]\nepochs = 1\nbatch_size = 64\n";
    // Each attribute of words has a field, and that many words more or less make no difference.
    let data = Extent { users: 2400, items: 1500, words: vec![12], numbers: 0 };
    let wide =
        "kind = \"dlrm\"\nembedding = 512\nattributes = [\"category\"]\nbottom = [1]\nhidden = [1]\nnegatives = 1";
    let mlp = "kind = \"mlp\"\nhidden = [1024, 1024]";
    for (network, strategy, threads) in [
        (wide, "kind = \"single\"", 1),
        (wide, "kind = \"single\"", 4),
        (wide, "kind = \"data-parallel\"\nranks = 2", 2),
        (mlp, "kind = \"single\"", 2),
    ] {
        let text = format!(
            "{frame}[recommender]\n{network}\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 128\n[engine]\nthreads = \
             {threads}\n[strategy]\n{strategy}\n"
        );
        let spec = ExperimentSpec::from_toml(&text).unwrap();
        let resolved = spec.resolve().unwrap();
        let judging = Judging { threads, rows: Some(10_000), lessons: Lessons::default() };
        let evaluation = EvaluationOutlook::of_spec(&resolved, Some(&data), judging).unwrap().total();
        let mut plan = of_spec(&resolved, Assumed::threads(1.0).on(Some(data.clone()))).unwrap();
        plan.needs = ProcessNeeds { before: ProcessNeeds::of_rows(10_000), evaluation, ..plan.needs };
        let foretold = Outlook::of(&plan).unwrap().process(&plan).total() as f64 / MIB;
        let events = run(&spec);
        // Of the first rank: what it held when it had learnt, and when it had evaluated.
        let peaks = events.iter().filter_map(|event| match &event.kind {
            EventKind::Memory { rank: 0, bytes } => Some(bytes.peak as f64 / MIB),
            _ => None,
        });
        let peaks: Vec<f64> = peaks.collect();
        let [.., learnt, evaluated] = peaks[..] else { panic!("{peaks:?}") };
        let (grown, told) = (evaluated - learnt, evaluation as f64 / MIB);
        println!(
            "{network:?} {strategy:?} {threads}: {grown:.1} MiB, {told:.1} foretold; {evaluated:.1}, {foretold:.1} foretold"
        );
        assert!(grown <= told, "{network} {strategy} {threads}: {grown:.1} MiB, {told:.1} MiB foretold");
        assert!(told <= 2.0 * grown, "{network} {strategy} {threads}: {grown:.1} MiB, {told:.1} MiB foretold");
        assert!(
            peak(&events) <= foretold,
            "{network} {strategy} {threads}: {evaluated:.1} MiB, {foretold:.1} MiB foretold"
        );
    }
}

#[test]
fn sixteen_ranks_that_divide_the_parameters_begin_with_no_whole_model_each() {
    let spec = LARGE.replace("epochs = 2", "epochs = 1");
    let spec =
        ExperimentSpec::from_toml(&format!("{spec}[strategy]\nkind = \"zero\"\nranks = 16\nstage = 3\n")).unwrap();
    let mut plan = of_spec(&spec.resolve().unwrap(), Assumed::threads(1.0)).unwrap();
    plan.needs.before = ProcessNeeds::of_rows(400);
    let whole = plan.layers.iter().map(|layer| 4 * layer.parameters).sum::<u64>() as f64 / MIB;
    let foretold = Outlook::of(&plan).unwrap().process(&plan).total() as f64 / MIB;
    let held = peak(&run(&spec));
    println!("a model of {whole:.1} MiB: sixteen ranks {held:.1} MiB, {foretold:.1} MiB foretold");
    assert!(held <= 1.05 * foretold, "{held:.1} MiB, {foretold:.1} MiB foretold");
    // Sixteen models are more than all that is foretold: with one on each rank the run would not fit.
    assert!(foretold < 16.0 * whole, "{foretold:.1} MiB foretold, a model of {whole:.1} MiB");
}

#[test]
fn ranks_that_begin_hold_their_part_of_a_table_and_no_whole_one() {
    let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"dlrm\"\nembedding = \
                1024\nattributes = [\"category\"]\nbottom = [1]\nhidden = [1]\nnegatives = 1\n[training]\nepochs = 1\nbatch_size = \
                64\noptimizer = \"sgd\"\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 2\n";
    let of =
        |strategy: &str| peak(&run(&ExperimentSpec::from_toml(&format!("{text}[strategy]\n{strategy}\n")).unwrap()));
    // 3,912 rows.
    let table = 3912.0 * 1024.0 * 4.0 / MIB;
    let (alone, divided) = (of("kind = \"single\""), of("kind = \"data-parallel\"\nranks = 16"));
    println!("a table of {table:.1} MiB: one device {alone:.1} MiB, sixteen ranks {divided:.1} MiB");
    // What sixteen ranks compute with, and the whole table at the first one for its model; not sixteen tables.
    assert!(divided - alone < 6.0 * table, "one device {alone:.1} MiB, sixteen ranks {divided:.1} MiB");
}

/// Users of a file, each with some rows: 12 to 200, few with many.
const USERS: u64 = 600;
const ITEMS: u64 = 1000;

fn rows_of(user: u64) -> u64 {
    12 + 11_000 / (58 + user)
}

/// A file of them, in the order of time.
fn histories(folder: &std::path::Path) -> std::path::PathBuf {
    let mut text = String::new();
    for user in 0..USERS {
        for step in 0..rows_of(user) {
            let item = (user * 37 + step * 101 + step * step) % ITEMS;
            let (rating, time) = (1 + (user + step) % 5, 1_000_000_000 + 86_400 * step);
            writeln!(text, "u{user},i{item},{rating},{time}").unwrap();
        }
    }
    let path = folder.join("histories.csv");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_network_holds_no_more_than_is_foretold_of_it_and_at_least_half_and_tells_no_part_larger_than_that() {
    let folder = tempfile::tempdir().unwrap();
    let path = histories(folder.path());
    let rows: u64 = (0..USERS).map(rows_of).sum();
    for (kind, more, batch, threads) in [
        ("sasrec", "", 128_u64, 1_u64),
        ("sasrec", "", 128, 2),
        ("sasrec", "length = 1024", 512, 2),
        ("caser", "", 128, 2),
        ("bert4rec", "", 128, 2),
        ("bert4rec", "length = 1024", 512, 2),
        ("gru4rec", "length = 200", 128, 2),
        ("autoencoder", "", 512, 2),
        ("neumf", "", 8192, 2),
    ] {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"file\"\nformat = \"amazon-csv\"\npath = {:?}\n[split]\nkind = \"leave-last-out\"\nvalidation = \
             true\n[recommender]\nkind = \"{kind}\"\n{more}\n[training]\nepochs = 2\nbatch_size = {batch}\n[evaluation]\nmetrics = \
             [\"ndcg@10\"]\n[engine]\nthreads = {threads}\n",
            path.display().to_string()
        );
        let spec = ExperimentSpec::from_toml(&text).unwrap();
        let resolved = spec.resolve().unwrap();
        let data = Extent::of_ids(USERS, ITEMS);
        // Two rows of each are held out.
        let learnt = (0..USERS).flat_map(|user| (2..rows_of(user)).map(move |_| user as u32));
        let lessons = Lessons::of(&resolved.recommender, USERS as usize, learnt);
        let judging = Judging { threads, rows: Some(rows), lessons };
        let evaluation = EvaluationOutlook::of_spec(&resolved, Some(&data), judging).unwrap();
        let needs = ProcessNeeds {
            before: ProcessNeeds::of_rows(rows),
            evaluation: evaluation.total(),
            scoring: evaluation.blocks,
            scorers: evaluation.scorers,
            ..ProcessNeeds::default()
        };
        let foretold = if is_whole(kind) {
            Whole::of_spec(&resolved, &data, lessons, needs).unwrap().outlook().total()
        } else {
            let assumed = Assumed::threads(1.0).on(Some(data.clone()));
            let mut plan = of_spec(&resolved, assumed.learning(&resolved.recommender, &lessons, batch)).unwrap();
            plan.needs = ProcessNeeds { step: plan.needs.step, alone: true, ..needs };
            Outlook::of(&plan).unwrap().process(&plan).total()
        };
        let events = run(&spec);
        let (held, foretold) = (peak(&events), foretold as f64 / MIB);
        let of = format!("{kind} {more} {batch} {threads}: {held:.1} MiB, {foretold:.1} MiB foretold");
        println!("{of}, {:.2} times", foretold / held);
        assert!(held <= foretold && foretold <= 2.0 * held, "{of}");
        // What a finished run tells was held: no part of it can be more than the process ever was.
        let told = events.iter().find_map(|event| match &event.kind {
            EventKind::Finished { summary } => Some(summary.memory),
            _ => None,
        });
        let told = told.expect("the run finishes");
        let parts = told.parameters + told.gradients + told.optimizer + told.host + told.activations + told.buffers;
        assert!(parts <= told.peak, "{of}: {told:?}");
    }
}
