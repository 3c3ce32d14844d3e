//! `recspeed plan` as a program.

mod measured;
mod tables;

use std::process::{Command, Output};

use serde_json::Value;

fn plan(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
    command.arg("plan").args(arguments).env("RECSPEED_HOME", home.path()).env_remove("RECSPEED_DATA").output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_picture_of_gpipe_is_the_one_of_the_paper() {
    let output = plan(&["--stages", "2", "--micro-batches", "2"]);
    assert!(output.status.success());
    let lines: Vec<_> = text(&output.stdout).lines().filter(|line| line.starts_with("rank ")).collect();
    assert_eq!(
        lines,
        ["rank 0   F0 F1 ·  ·  ·  B0 –  B1 –", "rank 1   ·  F0 F1 B0 –  B1 –  ·  ·"]
            .map(|line| line.trim_end_matches([' ']).to_owned())
    );
}

#[test]
fn its_json_has_the_bubble_and_every_pass() {
    let output =
        plan(&["--schedule", "1f1b", "--stages", "4", "--micro-batches", "8", "--json", "--parameters", "1000"]);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["bubble"], 3.0 / 8.0);
    assert_eq!(plan["held_micro_batches"], serde_json::json!([4, 3, 2, 1]));
    assert_eq!(plan["spans"].as_array().unwrap().len(), 4 * 8 * 2);
    assert_eq!(plan["zero"][3]["parameters_bytes"], 1000);
}

#[test]
fn its_trace_opens_in_a_viewer_of_chrome_traces() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    let output = plan(&["--schedule", "zb-h1", "--trace", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let trace: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let count = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
    assert_eq!(count("X"), 4 * 8 * 3);
    // Forth and back over each of three borders.
    assert_eq!([count("s"), count("f")], [2 * 3 * 8; 2]);
    assert!(count("C") > 0, "what each rank holds");
    // An earlier trace is replaced by the next one, and nothing else is.
    let again = || plan(&["--schedule", "gpipe", "--trace", file.to_str().unwrap()]);
    assert!(again().status.success());
    let replaced: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_ne!(replaced, trace);
    std::fs::write(&file, "[recommender]\n").unwrap();
    let refused = again();
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(2), ""));
    assert!(text(&refused.stderr).contains("is no timeline that this lab wrote"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[recommender]\n");
}

#[test]
fn small_models_have_their_bytes() {
    let output = plan(&["--parameters", "10", "--ranks", "13"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("52 B") || shown.contains("40 B"), "{shown}");
    assert!(!shown.contains(" 0.0 "), "{shown}");
}

#[test]
fn a_plan_that_cannot_be_is_refused_with_one_that_can() {
    for (arguments, words) in [
        (&["--stages", "0"][..], "at least 1"),
        (&["--chunks", "2"], "use interleaved"),
        (&["--stages", "100000", "--micro-batches", "100000"], "at most 200000"),
        (&["--stages", "3000", "--micro-batches", "1"], "at most 200000"),
        (&["--parameters", "18446744073709551615", "--ranks", "2"], "1..=1000000000000000"),
        (&["--parameters", "10", "--ranks", "0"], "at least 1"),
    ] {
        let output = plan(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_file_of_lengths_is_simulated_instead_of_stages_that_are_alike() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lengths.json");
    let with = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let flags = ["--stages", "2", "--micro-batches", "2", "--lengths", file.to_str().unwrap()];
        plan(&[&flags[..], more].concat())
    };
    let two = r#"[{"forward_us": 10, "backward_input_us": 12, "backward_weight_us": 8, "send_activation_us": 1},
        {"forward_us": 10, "backward_input_us": 20, "send_gradient_us": 3}]"#;
    let output = with(two, &["--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Rank 1 gets F0 at 11 and F1 at 22 and computes until 32, 52 and, after a send, 75; its second send ends at 78, and
    // rank 0 computes 20 more.
    let ends: Vec<_> = replayed["spans"].as_array().unwrap().iter().filter_map(|span| span["end"].as_f64()).collect();
    assert_eq!(ends.into_iter().fold(0.0, f64::max), 98.0);
    assert!((replayed["bubble"].as_f64().unwrap() - 38.0 / 60.0).abs() < 1e-12);
    let output = with(two, &[]);
    assert!(text(&output.stdout).contains("lengths.json says"), "{}", text(&output.stdout));

    // Rank 1 has received at 12 and at 23 and computes until 33, 53 and, after a send, 76; its sends end at 56 and 79,
    // and rank 0 has received at 58 and at 81.
    let received = two
        .replace("\"send_activation_us\": 1", "\"send_activation_us\": 1, \"receive_gradient_us\": 2")
        .replace("\"send_gradient_us\": 3", "\"send_gradient_us\": 3, \"receive_activation_us\": 1");
    let output = with(&received, &["--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!((replayed["bubble"].as_f64().unwrap() - 41.0 / 60.0).abs() < 1e-12, "{replayed}");

    for (given, words) in [
        ("[]", "has 0 stages and the schedule has 2"),
        (r#"[{"forward_us": 1}]"#, "missing field `backward_input_us`"),
        (r#"[{"forward_us": 1, "backward_input_us": 1, "send_us": 1}]"#, "unknown field `send_us`"),
        (
            r#"[{"forward_us": 1, "backward_input_us": 1}, {"forward_us": 1, "backward_input_us": -2.5}]"#,
            "backward_input_us of stage 1 is -2.5: give 0",
        ),
        (
            r#"[{"forward_us": 1, "backward_input_us": 1, "receive_gradient_us": -1},
                {"forward_us": 1, "backward_input_us": 1}]"#,
            "receive_gradient_us of stage 0 is -1: give 0",
        ),
        (
            r#"[{"forward_us": 1e300, "backward_input_us": 1}, {"forward_us": 1, "backward_input_us": 1}]"#,
            "forward_us of stage 0 is 1e300: give 0 to 1000000000 microseconds",
        ),
        (
            r#"[{"forward_us": 1, "backward_input_us": 1}, {"forward_us": 1, "backward_input_us": 1000000001}]"#,
            "backward_input_us of stage 1 is 1000000001: give 0 to 1000000000 microseconds",
        ),
    ] {
        let output = with(given, &[]);
        assert_eq!(output.status.code(), Some(2), "{given}");
        assert!(text(&output.stderr).contains(words), "{given}: {}", text(&output.stderr));
    }
    let longest = r#"[{"forward_us": 1e9, "backward_input_us": 1e9}, {"forward_us": 1e9, "backward_input_us": 0}]"#;
    let shown = with(longest, &[]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    assert!(!shown.contains("NaN") && !shown.contains("inf "), "what may be given has times that are numbers: {shown}");

    let output = plan(&["--lengths", folder.path().join("none.json").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("name a JSON file with --lengths"), "{}", text(&output.stderr));
}

#[test]
fn more_ranks_than_a_run_can_have_are_planned_on_links_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let many = DENSE.replace("batch_size = 64", "batch_size = 8192").replace("ranks = 4\n", "ranks = 512\n");
    let file = spec_file(&folder, &many);
    let step = |arguments: &[&str]| {
        let output = plan(&[&[file.as_str(), "--json"][..], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&planned["ranks"], &planned["replicas"]), (&512.into(), &256.into()));
        assert_eq!(
            (&planned["allowed_bytes"], &planned["fits"]),
            (&Value::Null, &Value::Null),
            "on no machine we know"
        );
        planned["step_us"].as_f64().unwrap()
    };
    // Of 21 layers each is gathered twice for each of four micro-batches by 256 replicas, and more.
    let (quick, slow) = (step(&["--latency", "0"]), step(&["--latency", "20"]));
    assert!(slow - quick > 255.0 * 20.0 * 2.0 * 4.0 * 10.0, "{quick} {slow}");
    assert!(step(&["--bandwidth", "1"]) > step(&["--bandwidth", "100"]));
    let instant = step(&["--bandwidth", "inf", "--latency", "0"]);
    assert!(instant.is_finite() && instant < step(&["--bandwidth", "1000000", "--latency", "0"]), "{instant}");
    let output = plan(&[&file]);
    assert!(
        text(&output.stdout).contains("A run may have 64 ranks: more are only planned"),
        "{}",
        text(&output.stdout)
    );
    for (arguments, words) in [
        (&[file.as_str(), "--set", "strategy.ranks=8192"][..], "is 8192; allowed: 1 to 4096"),
        (&[&file, "--bandwidth", "0"], "is no speed of a link"),
        (&[&file, "--latency", "soon"], "is no latency"),
    ] {
        let output = plan(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
    // A run has no more than before.
    let mut run = Command::new(env!("CARGO_BIN_EXE_recspeed"));
    let output =
        run.arg("run").arg(&file).env("RECSPEED_HOME", folder.path()).env_remove("RECSPEED_DATA").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is 512; allowed: 1 to 64"), "{}", text(&output.stderr));
}

const DENSE: &str = "version = 1\nseed = 1\n\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n\n\
    [recommender]\nkind = \"densenet\"\nlayers = 20\ngrowth = 64\n\n[training]\nepochs = 1\nbatch_size = 64\n\n\
    [strategy]\nkind = \"hybrid\"\nranks = 4\nstages = 2\nmicro_batches = 4\nstage = 3\n";

fn spec_file(folder: &tempfile::TempDir, text: &str) -> String {
    let file = folder.path().join("spec.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_spec_is_planned_with_its_own_layers_bytes_and_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = spec_file(&folder, DENSE);
    let output = plan(&[&file, "--set", "strategy.schedule=\"zb-h1\"", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&planned["layers"], &planned["ranks"], &planned["zero"]), (&21.into(), &4.into(), &3.into()));
    assert_eq!(planned["schedule"], "zb-h1");
    assert_eq!(planned["micro_batches"], serde_json::json!([8, 8, 8, 8]), "of the 32 rows of each replica");
    let parameters = planned["parameters"].as_u64().unwrap();
    let held = planned["memory"].as_array().unwrap();
    let sum = |what: &str| held.iter().map(|rank| rank[what].as_u64().unwrap()).sum::<u64>();
    // Two replicas hold half each, of two stages that make up the model: 4 bytes a parameter, 8 for both moments.
    assert!(sum("parameters_bytes").abs_diff(2 * parameters) <= 8);
    assert!(sum("optimizer_bytes").abs_diff(4 * parameters) <= 16);
    assert!(!planned["verdict"].as_str().unwrap().is_empty());
    let stages = planned["stages"].as_array().unwrap();
    assert_eq!(stages.iter().map(|stage| stage["layers"].as_u64().unwrap()).sum::<u64>(), 21);
}

#[test]
fn a_dense_block_whose_layers_ranks_share_is_planned_with_the_part_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let file = spec_file(&folder, DENSE);
    let of = |tensor: &str| {
        let output = plan(&[&file, "--set", "strategy.stage=0", "--set", tensor, "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (whole, shared) = (of("strategy.tensor=1"), of("strategy.tensor=2"));
    assert_eq!((&shared["tensor"], &shared["replicas"], &shared["ranks"]), (&2.into(), &1.into(), &4.into()));
    assert_eq!(shared["parameters"], whole["parameters"], "of the whole network");
    let sum = |planned: &Value, what: &str| {
        planned["memory"].as_array().unwrap().iter().map(|rank| rank[what].as_u64().unwrap()).sum::<u64>()
    };
    // One number more: the bias of the score is one rank's.
    assert_eq!(2 * sum(&shared, "parameters_bytes"), sum(&whole, "parameters_bytes") + 4);
    // Half of the numbers for the rows of twice as many.
    let [ours, theirs] = [&shared, &whole].map(|planned| sum(planned, "activations_bytes"));
    assert!(ours.abs_diff(theirs) <= theirs / 100, "{ours} {theirs}");
    let output = plan(&[&file, "--set", "strategy.tensor=2"]);
    assert!(text(&output.stdout).contains("2 that share each layer, "), "{}", text(&output.stdout));
    let output = plan(&[&file, "--set", "recommender.growth=8", "--set", "strategy.tensor=16"]);
    assert!(text(&output.stderr).contains("set it to 8 or fewer"), "{}", text(&output.stderr));
}

#[test]
fn its_text_has_stages_picture_bubble_memory_and_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let output = plan(&[&spec_file(&folder, DENSE)]);
    let shown = text(&output.stdout);
    for words in
        ["densenet of 21 layers", "Stages, with", "rank 1   ", "bubble  ", "Memory of each rank of each of 2 replicas"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.contains("not measured"), "{shown}");
}

#[test]
fn its_heading_has_as_many_ranks_as_the_spec_and_one_row_is_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = spec_file(&folder, DENSE);
    for (set, heading) in [
        (&[] as &[&str], ", 4 ranks: 2 stages, 2 replicas, 4 micro-batches, ZeRO 3, "),
        (&["strategy.tensor=2"], ", 4 ranks: 2 stages, 1 replica, 2 that share each layer, 4 micro-batches, "),
        (&["strategy.schedule=interleaved"], "Interleaved, 4 ranks: 4 stages (2 a rank), 2 replicas, "),
        (&["strategy.stages=1", "strategy.schedule=gpipe"], "GPipe, 4 ranks: 1 stage, 4 replicas, "),
    ] {
        let set = set.iter().flat_map(|one| ["--set", *one]);
        let arguments: Vec<&str> = std::iter::once(file.as_str()).chain(set).collect();
        let output = plan(&arguments);
        assert!(text(&output.stdout).contains(heading), "{heading}: {}{}", text(&output.stdout), text(&output.stderr));
    }
    let output = plan(&[&file, "--set", "training.batch_size=8"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("of a micro-batch of 1 row;"), "{shown}");
}

#[test]
fn it_says_what_the_stages_are_made_equal_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = spec_file(&folder, DENSE);
    for (balance, said) in [("\"time\"", "as equal in time as can be"), ("[1, 20]", "cut by hand")] {
        let set = format!("strategy.balance={balance}");
        let shown = plan(&[&file, "--set", &set]);
        assert!(text(&shown.stdout).contains(said), "{balance}: {}", text(&shown.stdout));
        let planned: Value = serde_json::from_slice(&plan(&[&file, "--set", &set, "--json"]).stdout).unwrap();
        assert_eq!(planned["balance"], serde_json::from_str::<Value>(balance).unwrap());
    }
    let refused = plan(&[&file, "--set", "strategy.balance=size"]);
    assert!(!refused.status.success());
    let told = text(&refused.stderr);
    assert!(told.contains("`size`") && told.contains("`parameters`, `time`, `memory`"), "{told}");
}

#[test]
fn what_will_not_fit_is_foretold_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let larger = DENSE.replace("growth = 64", "growth = 256").replace("stage = 3", "stage = 0");
    let file = spec_file(&folder, &larger);
    let output = plan(&[&file, "--memory-limit", "128", "--json"]);
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&planned["fits"], &planned["limit"]), (&false.into(), &"memory".into()), "{planned}");
    let verdict = planned["verdict"].as_str().unwrap();
    assert!(
        verdict.starts_with("This does not fit: all ranks together would hold ") && verdict.contains(" Try "),
        "{verdict}"
    );
    assert!(verdict.contains("would train it for about ") && verdict.contains("recommender.kind = "), "{verdict}");
}

#[test]
fn what_ranks_hold_on_a_gpu_is_held_against_its_memory_and_not_the_machines() {
    let folder = tempfile::tempdir().unwrap();
    let file = spec_file(&folder, &format!("{DENSE}\n[engine]\ndevice = \"cuda\"\n"));
    let json = |arguments: &[&str]| -> Value {
        let output = plan(&[&[file.as_str(), "--json"][..], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let small = json(&["--gpu-memory", "16"]);
    assert_eq!((&small["fits"], &small["limit"]), (&false.into(), &"memory".into()), "{small}");
    let verdict = small["verdict"].as_str().unwrap();
    assert!(
        verdict.starts_with("This does not fit on ") && verdict.contains("ranks 0, 1, 2 and 3 would hold"),
        "{verdict}"
    );
    let tried = verdict.matches(" Try ").count() + verdict.matches(" Use ").count();
    assert_eq!(tried, 1, "what would be faster is no help: {verdict}");
    let [held, allowed] = ["bytes", "allowed_bytes"].map(|name| small["devices"][0][name].as_f64().unwrap());
    let missing = (held - allowed) / allowed;
    assert!((small["limit_share"].as_f64().unwrap() - missing).abs() < 1e-9, "the share that is missing: {small}");
    let large = json(&["--gpu-memory", "65536"]);
    assert_eq!(large["devices"][0]["ranks"], serde_json::json!([0, 1, 2, 3]));
    assert_eq!(large["devices"][0]["fits"], true);
    assert!(!large["verdict"].as_str().unwrap().contains("does not fit"), "{large}");
    // The machine needs no room for what the card holds.
    let here = plan(&[&spec_file(&folder, DENSE), "--json"]);
    let here: Value = serde_json::from_slice(&here.stdout).unwrap();
    assert!(large["process"]["bytes"].as_u64() < here["process"]["bytes"].as_u64(), "{large} {here}");
    assert_eq!(here["devices"], serde_json::json!([]));
}

#[test]
fn on_libtorch_workspaces_of_ranks_and_threads_are_planned_and_on_burns_own_kernels_two_thirds_of_a_gpu_may_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let of = |device: &str| {
        let engine = format!("[evaluation]\nmetrics = [\"ndcg@10\"]\n[engine]\ndevice = \"{device}\"\nthreads = 3\n");
        let file = spec_file(&folder, &format!("{DENSE}\n{engine}"));
        let output = plan(&[&file, "--json", "--gpu-memory", "30720"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
        ["workspaces_bytes", "bytes", "allowed_bytes"].map(|name| planned["devices"][0][name].as_u64().unwrap())
    };
    let [libtorch, cuda] = ["libtorch-cuda", "cuda"].map(of);
    // Four ranks and three threads.
    let workspaces: u64 = 7 * (96 << 20);
    assert_eq!([libtorch[0], cuda[0], libtorch[1] - cuda[1]], [workspaces, 0, workspaces]);
    assert_eq!([libtorch[2], cuda[2]], [27_u64 << 30, 20 << 30]);
}

#[test]
fn an_impossible_layout_is_refused_with_the_nearest_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let frame = DENSE.split("[recommender]").next().unwrap();
    let network =
        "[recommender]\nkind = \"mlp\"\n\n[training]\nbatch_size = 64\n\n[evaluation]\nmetrics = [\"rmse\"]\n";
    for (strategy, words) in [
        (
            "kind = \"pipeline\"\nstages = 5",
            "strategy.stages: makes 5 stages, and the model has 4 layers; set strategy.stages = 4",
        ),
        (
            "kind = \"pipeline\"\nstages = 2\nmicro_batches = 100",
            "strategy.micro_batches: is 100, and each replica has 64 rows",
        ),
        (
            "kind = \"hybrid\"\nstages = 2\nranks = 3",
            "strategy.ranks: is 3, which 2 stages do not divide; set it to 2 or 4",
        ),
    ] {
        let output = plan(&[&spec_file(&folder, &format!("{frame}{network}\n[strategy]\n{strategy}\n"))]);
        assert_eq!(output.status.code(), Some(2), "{strategy}");
        assert!(text(&output.stderr).contains(words), "{strategy}: {}", text(&output.stderr));
    }
}

#[test]
fn a_spec_without_layers_and_flags_beside_a_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = spec_file(
        &folder,
        &DENSE
            .split("[recommender]")
            .next()
            .map(|start| format!("{start}[recommender]\nkind = \"popularity\"\n"))
            .unwrap(),
    );
    for (arguments, words) in [
        (&[file.as_str()][..], "no row of layers: mlp, densenet, dlrm and sasrec"),
        (&[&file, "--stages", "2"], "cannot be used with"),
        (&[&file, "--gflops", "0"], "is no speed"),
        (&["--gflops", "7"], "FILE"),
        (&[&file, "--users", "7"], "--items"),
    ] {
        let output = plan(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn of_a_network_that_is_no_row_of_layers_its_parameters_and_its_memory_are_planned() {
    let folder = tempfile::tempdir().unwrap();
    let frame = DENSE.split("[recommender]").next().unwrap();
    let network = "[recommender]\nkind = \"autoencoder\"\nhidden = 200\nlatent = 64\n\n[training]\nbatch_size = 512\n\n\
                   [evaluation]\nmetrics = [\"ndcg@10\"]\n";
    let file = spec_file(&folder, &format!("{frame}{network}"));
    let sizes = ["--users", "1210271", "--items", "249274", "--memory-limit", "4096"];
    let output = plan(&[&[file.as_str(), "--json"][..], &sizes].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    // 200 numbers an item there and back, a bias of each, and the middle.
    let parameters = 401 * 249_274 + 200 + 2 * (200 * 64 + 64) + 64 * 200 + 200;
    assert_eq!((&planned["parameters"], &planned["fits"]), (&parameters.into(), &false.into()), "{planned}");
    assert_eq!(planned["process"]["parameters_bytes"], 4 * parameters);
    // Adam's moments.
    assert_eq!(planned["process"]["optimizer_bytes"], 8 * parameters);
    let verdict = planned["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("This does not fit: one device would hold ") && verdict.contains(" Try "), "{verdict}");
    let output = plan(&[&[file.as_str()][..], &sizes].concat());
    for words in ["autoencoder of 1210271 users and 249274 items", "scores of a batch", "4.0 GiB that a run may use"] {
        assert!(text(&output.stdout).contains(words), "{words}: {}", text(&output.stdout));
    }

    // Of a data set that the lab makes it reads how large it is.
    let output = plan(&[&file, "--memory-limit", "4096", "--json"]);
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&planned["fits"], &planned["items"]), (&true.into(), &1500.into()), "{planned}");
    let output = plan(&[&file, "--trace", folder.path().join("trace.json").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "there is no schedule to draw");
    let on_a_gpu = spec_file(&folder, &format!("{frame}{network}\n[engine]\ndevice = \"cuda\"\n"));
    let of = |gpu: &str| -> Value {
        let sizes =
            ["--users", "1210271", "--items", "249274", "--memory-limit", "16384", "--gpu-memory", gpu, "--json"];
        let output = plan(&[&[on_a_gpu.as_str()][..], &sizes].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let [small, large] = ["1024", "65536"].map(of);
    assert_eq!((&small["fits"], &large["fits"]), (&false.into(), &true.into()), "{small} {large}");
    let verdict = small["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("This does not fit on the GPU of `cuda`: rank 0 would hold about "), "{verdict}");
    assert!(!verdict.contains("of the machine's memory"), "the machine has room: {verdict}");
    let [dense, tables] = [4 * (parameters - 200 * 249_274), 4 * 200 * 249_274];
    assert_eq!(large["devices"][0]["parameters_bytes"], dense);
    assert_eq!(large["process"]["parameters_bytes"], tables, "rows of tables stay with the machine");
    let lost = format!("{frame}{network}").replace(
        "source = \"builtin\"\nid = \"beauty-synthetic-10k\"",
        "source = \"file\"\npath = \"no.csv\"\nformat = \"amazon-csv\"",
    );
    let output = plan(&[&spec_file(&folder, &lost)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("give --users and --items"), "{}", text(&output.stderr));
}
