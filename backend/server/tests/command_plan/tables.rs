//! What `recspeed plan` says of tables of embeddings, and of data that fill them.

use serde_json::Value;

use super::{DENSE, plan, spec_file, text};

/// A network with tables, on a data set that the lab makes.
fn with_tables(strategy: &str) -> String {
    let start = DENSE.split("[recommender]").next().unwrap();
    format!(
        "{start}[recommender]\nkind = \"dlrm\"\nembedding = 12\n[training]\nbatch_size = 64\n[strategy]\n{strategy}\n"
    )
}

#[test]
fn tables_are_planned_by_rank_with_what_the_ranks_send_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = spec_file(&folder, &with_tables("kind = \"pipeline\"\ntables = \"column-wise\""));
    let output = plan(&[&file]);
    let shown = text(&output.stdout);
    for words in [
        "dlrm of ",
        "(2400 users, 1500 items, ",
        "of 12 numbers, which all ranks divide column-wise",
        ", and what the evaluation takes on top ",
        "sent a step",
        "not measured",
    ] {
        assert!(shown.contains(words), "{words}: {shown} {}", text(&output.stderr));
    }
    let output = plan(&[&file, "--json"]);
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tables = &planned["tables"];
    let ranks = tables["ranks"].as_array().unwrap();
    let sum = |what: &str| ranks.iter().map(|rank| rank[what].as_u64().unwrap()).sum::<u64>();
    let numbers = 12 * tables["rows"].as_u64().unwrap();
    assert!(numbers > 12 * 3900, "attributes have words: {tables}");
    assert_eq!((sum("parameters_bytes"), sum("optimizer_bytes")), (4 * numbers, 8 * numbers));
    assert!(sum("fetched_bytes_per_step") > 0);
    // The first stage looks up, the second has half of what it wants.
    assert_eq!([0, 1].map(|rank| ranks[rank]["fetched_bytes_per_step"] == 0), [true, false]);
}

#[test]
fn what_the_evaluation_takes_is_planned_by_the_threads_that_evaluate() {
    let folder = tempfile::tempdir().unwrap();
    let spec = with_tables("kind = \"data-parallel\"\nranks = 2").replace("embedding = 12", "embedding = 1024");
    let file = spec_file(&folder, &spec);
    let process = |threads: u32| {
        let output = plan(&[&file, "--set", &format!("engine.threads={threads}"), "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
        planned["process"].clone()
    };
    let of = |process: &Value, what: &str| process[what].as_u64().unwrap();
    let [one, four] = [1, 4].map(process);
    // Three threads more, each with eight vectors at least of each of 1,024 items.
    let more = of(&four, "evaluation_bytes") - of(&one, "evaluation_bytes");
    assert!(more >= 3 * 1024 * 8 * 1024 * 4, "{one} {four}");
    assert_eq!(of(&four, "bytes") - of(&one, "bytes"), more, "nothing else depends on them");
}

#[test]
fn what_features_derive_has_rows_in_the_tables_that_are_planned() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |features: &str| {
        let spec = with_tables("kind = \"data-parallel\"\nranks = 2")
            .replace("[recommender]", &format!("{features}[recommender]"));
        let output = plan(&[&spec_file(&folder, &spec), "--json"]);
        let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
        (planned["tables"]["rows"].as_u64().unwrap(), planned["step_us"].as_f64().unwrap())
    };
    let (without, of_one) = (rows(""), rows("[features]\nderive = [\"item-season\"]\n"));
    // Twelve months at most, and the empty word.
    assert!((without.0 + 2..=without.0 + 13).contains(&of_one.0), "{without:?} {of_one:?}");
    assert!(of_one.1 > without.1, "another field is looked up and computed with");
}

#[test]
fn tables_of_data_that_cannot_be_read_are_planned_once_somebody_says_how_large_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let spec = with_tables("kind = \"zero\"\nranks = 4").replace(
        "source = \"builtin\"\nid = \"beauty-synthetic-10k\"",
        "source = \"file\"\npath = \"no.csv\"\nformat = \"amazon-csv\"",
    );
    let file = spec_file(&folder, &spec);
    let output = plan(&[&file]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in
        ["tables of embeddings (row-wise), which are not counted", "`no.csv` was not found", "Give --users and --items"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let output = plan(&[&file, "--users", "1000000", "--items", "200000", "--memory-limit", "128", "--json"]);
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    // 1.2 million rows of 12 numbers with both moments, a quarter on each rank: 165 MiB together.
    let held: Vec<u64> =
        (0..4).map(|rank| planned["tables"]["ranks"][rank]["parameters_bytes"].as_u64().unwrap()).collect();
    assert_eq!(held, [4 * 12 * 300_000; 4]);
    assert_eq!((&planned["fits"], &planned["limit"]), (&false.into(), &"memory".into()), "{planned}");
    let verdict = planned["verdict"].as_str().unwrap();
    assert!(verdict.contains("Tables of embeddings are 165 MiB of that, 1200000 rows of 12 numbers"), "{verdict}");
    assert!(verdict.contains("row-wise on 4 ranks, at most 41.2 MiB on one"), "{verdict}");
}
