//! Tables of embeddings, planned of a spec and the size of its data.

mod strategies;

use recspeed_plan::sharding::TableSharding;
use recspeed_plan::{Assumed, Outlook, TablesOutlook, of_spec, tables_of};
use recspeed_types::Extent;
use recspeed_types::spec::ResolvedSpec;
use strategies::spec;

fn dlrm(strategy: &str) -> ResolvedSpec {
    spec("kind = \"dlrm\"\nembedding = 12\nnegatives = 3", "batch_size = 40", strategy)
}

fn data() -> Extent {
    Extent { words: vec![50, 7], numbers: 1, ..Extent::of_ids(1000, 200) }
}

fn planned(spec: &ResolvedSpec) -> TablesOutlook {
    TablesOutlook::of_spec(spec, &data()).expect("it can be divided").expect("it has tables")
}

#[test]
fn a_network_has_a_row_for_each_id_and_word_that_it_looks_up() {
    let tables = tables_of(&dlrm("kind = \"single\"").recommender, &data());
    assert_eq!((tables[0].rows, tables[0].width, &tables[0].fields[..]), (1257, 12, &[1000, 200, 50, 7][..]));
    let sasrec = spec("kind = \"sasrec\"\nfactors = 8", "", "kind = \"single\"");
    let tables = tables_of(&sasrec.recommender, &data());
    assert_eq!((tables.len(), tables[0].rows, tables[0].width), (1, 200, 8));
    let mlp = spec("kind = \"als-implicit\"", "", "kind = \"single\"");
    assert_eq!(TablesOutlook::of_spec(&mlp, &data()), Ok(None));
}

#[test]
fn ranks_hold_the_tables_once_together_whatever_the_strategy() {
    for strategy in ["kind = \"single\"", "kind = \"zero\"\nranks = 5", "kind = \"hybrid\"\nstages = 2\nranks = 6"] {
        for sharding in TableSharding::ALL.map(TableSharding::as_str) {
            let tables = match strategy {
                "kind = \"single\"" => String::new(),
                _ => format!("\ntables = \"{sharding}\""),
            };
            let spec = dlrm(&format!("{strategy}{tables}"));
            let outlook = planned(&spec);
            assert_eq!(outlook.ranks.len(), spec.strategy.ranks as usize);
            // Numbers and both of Adam's moments.
            assert_eq!(outlook.resident(), 12 * 12 * 1257, "{strategy} {sharding}");
            let sum = |of: fn(&recspeed_plan::RankTables) -> u64| outlook.ranks.iter().map(of).sum::<u64>();
            let (sent, back) = (sum(|rank| rank.traffic.fetched), sum(|rank| rank.traffic.given_back));
            // Each rank's sums are rounded.
            assert!(sent.abs_diff(back) <= 6, "what is fetched is given back: {sent} {back}");
        }
    }
    let sgd = spec("kind = \"dlrm\"\nembedding = 12", "optimizer = \"sgd\"", "kind = \"zero\"\nranks = 4");
    assert_eq!(planned(&sgd).resident(), 4 * 12 * 1257);
}

#[test]
fn what_is_looked_up_is_what_the_batch_reads() {
    // 40 rows of 4 pairs of 4 fields, by the first stages of two replicas.
    let outlook = planned(&dlrm("kind = \"hybrid\"\nstages = 2\nranks = 4\nmicro_batches = 3"));
    let places: Vec<u64> = outlook.ranks.iter().map(|rank| rank.looked_up / (4 * 12)).collect();
    assert_eq!(places.iter().sum::<u64>(), 40 * 4 * 4);
    assert!(places[0].abs_diff(places[1]) <= 2 * 16 && places[2..] == [0, 0], "{places:?}");
    // 32 sequences of 10 items are read, and each micro-batch is asked about all 200 items.
    let sasrec = |loss: &str| {
        let training = format!("batch_size = 32\nloss = \"{loss}\"");
        let strategy = "kind = \"pipeline\"\nmicro_batches = 4";
        spec(
            "kind = \"sasrec\"\nlength = 10\nfactors = 8\nheads = 1\nnegatives = 6\nshared_by = 5",
            &training,
            strategy,
        )
    };
    let places = |spec: &ResolvedSpec| planned(spec).ranks.iter().map(|rank| rank.looked_up / 32).collect::<Vec<_>>();
    assert_eq!(places(&sasrec("cross-entropy")), [320, 4 * 200]);
    // The wanted item of each question, and six drawn ones for each five of the 80 questions of a micro-batch.
    assert_eq!(places(&sasrec("bce")), [320, 4 * (80 + 16 * 6)]);
}

#[test]
fn row_wise_ranks_without_rows_of_a_field_send_nothing_of_it() {
    // 1257 rows: the first of two ranks has users only, the second the other users and all the rest.
    let outlook = planned(&dlrm("kind = \"zero\"\nranks = 2\ntables = \"row-wise\""));
    let [first, second] = [0, 1].map(|rank| outlook.ranks[rank].traffic.fetched as f64);
    let users = 629.0 / 1000.0 / 4.0;
    assert!((first / (first + second) - users).abs() < 1e-3, "{first} {second}");
}

#[test]
fn the_plan_of_a_spec_counts_tables_where_the_size_of_the_data_is_known() {
    let spec = dlrm("kind = \"hybrid\"\nstages = 2\nranks = 4\nstage = 3");
    let plan = |data| of_spec(&spec, Assumed::threads(1.0).on(data)).unwrap();
    let (unknown, known) = (plan(None), plan(Some(data())));
    assert_eq!((unknown.beside, known.beside), (0, planned(&spec).resident()));
    let outlook = Outlook::of(&known).unwrap();
    let of_layers: u64 = outlook.ranks.iter().map(recspeed_plan::RankOutlook::peak).sum();
    assert_eq!(outlook.together(2), 2 * of_layers + known.beside, "once, not for every replica");
    // Two attributes of words are two fields more, and one of numbers an input more.
    assert!(known.layers[0].parameters > unknown.layers[0].parameters);
    assert!(known.layers[0].input_bytes > unknown.layers[0].input_bytes);
}

#[test]
fn what_tables_take_is_told_with_what_takes_less() {
    let spec = dlrm("kind = \"zero\"\nranks = 2\ntables = \"column-wise\"");
    let words = planned(&spec).in_words(&spec.recommender);
    for part in [
        "177 KiB of that",
        "1257 rows of 12 numbers",
        "column-wise on 2 ranks, at most 88.4 KiB on one",
        "recommender.embedding",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
}
