//! A run is cut into the stages that its plan shows, whatever they are made equal in, and ends with the result of one device.

mod desk;

use std::collections::BTreeSet;

use recspeed_plan::{Assumed, Outlook, TablesOutlook, of_spec};
use recspeed_types::{EventKind, ExperimentSpec, Extent, FailureCode};

use desk::{attempt, attempt_from};

const MLP: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 900\n[recommender]\nkind = \
                   \"mlp\"\nhidden = [48, 4, 4, 4, 4, 32]\n[training]\nepochs = 2\nbatch_size = 64\n[evaluation]\nmetrics = [\"rmse\"]\n";
const DENSENET: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 900\n[recommender]\nkind = \
                        \"densenet\"\nlayers = 12\ngrowth = 6\n[training]\nepochs = 1\nbatch_size = 64\n[evaluation]\nmetrics = [\"auc\"]\n";
/// With an attribute: what its layers cost depends on how many the data have.
const DLRM: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 900\n[recommender]\nkind = \
                    \"dlrm\"\nembedding = 6\nbottom = [40, 5]\nhidden = [48, 8]\nattributes = [\"category\"]\nnegatives = \
                    3\n[training]\nepochs = 1\nbatch_size = 60\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 20\n";

const BALANCES: [&str; 4] = ["\"parameters\"", "\"time\"", "\"memory\"", "[1, 1, REST]"];

/// A pipeline of three stages, of so many layers.
fn strategy(balance: &str, layers: usize, more: &str) -> String {
    let balance = balance.replace("REST", &(layers - 2).to_string());
    format!("[strategy]\nkind = \"pipeline\"\nstages = 3\nbalance = {balance}\n{more}\n")
}

/// Bytes of parameters that each of three ranks told of, of the layers and of tables.
fn parameters(events: &[EventKind]) -> Vec<u64> {
    let of = |rank: u32| {
        events.iter().find_map(|event| match event {
            EventKind::Memory { rank: of, bytes } if *of == rank && bytes.activations > 0 => Some(bytes.parameters),
            _ => None,
        })
    };
    (0..3).map(|rank| of(rank).expect("each rank tells what it held")).collect()
}

#[test]
fn a_run_is_cut_as_its_plan_is() {
    let mut apart = 0;
    for (network, layers, more) in [
        (MLP, 7, "schedule = \"1f1b\""),
        (MLP, 7, "schedule = \"gpipe\"\nrecompute = \"always\""),
        (DENSENET, 13, "schedule = \"zb-h1\"\nmicro_batches = 6"),
        (DLRM, 6, "schedule = \"gpipe\"\ntables = \"column-wise\""),
    ] {
        let mut cuts = BTreeSet::new();
        for balance in BALANCES {
            let text = format!("{network}{}", strategy(balance, layers, more));
            let (result, events) = attempt(None, &text, None);
            let data = result.unwrap_or_else(|failure| panic!("{text}: {failure}")).data;
            let spec = ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap();
            // The categories of the data that the lab makes.
            let extent = Extent { words: vec![12], ..Extent::of_ids(data.users, data.items) };
            // At another speed than a plan assumes: that moves no border.
            let assumed = Assumed::threads(3.0).on((network == DLRM).then(|| extent.clone()));
            let plan = Outlook::of(&of_spec(&spec, assumed).unwrap()).unwrap();
            let tables = TablesOutlook::of_spec(&spec, &extent).unwrap();
            for (rank, held) in parameters(&events).into_iter().enumerate() {
                let of_tables = tables.as_ref().map_or(0, |tables| tables.ranks[rank].shares.parameters);
                let planned = plan.ranks[rank].shares.parameters;
                // Categories that no item of the sample has count in the plan: two of six columns of twelve rows.
                let off = held.abs_diff(planned + of_tables);
                assert!(
                    off <= of_tables.min(12 * 2 * 4),
                    "rank {rank}: {held} held, {planned} and {of_tables}: {text}"
                );
            }
            cuts.insert(plan.partition.counts());
        }
        apart += usize::from(cuts.len() > 2);
    }
    assert!(apart > 1, "by hand, by parameters, and another one: else nothing was held against anything");
}

#[test]
fn however_it_is_cut_a_training_ends_with_the_result_of_one_device() {
    let (alone, _) = attempt(None, MLP, None);
    let alone = alone.expect("it trains").metrics;
    for balance in BALANCES {
        let (divided, _) = attempt(None, &format!("{MLP}{}", strategy(balance, 7, "")), None);
        for (name, value) in divided.unwrap_or_else(|failure| panic!("{balance}: {failure}")).metrics {
            assert!((value - alone[&name]).abs() < 2e-4, "{balance}, {name}: {value}");
        }
    }
}

#[test]
fn a_checkpoint_goes_on_where_the_borders_lie_elsewhere() {
    let text = |balance: &str| format!("{MLP}{}", strategy(balance, 7, ""));
    let (alone, _) = attempt(None, MLP, None);
    let alone = alone.expect("it trains").metrics;
    for (first, then) in [("\"time\"", "\"memory\""), ("\"memory\"", "\"parameters\""), ("[1, 1, REST]", "\"time\"")] {
        let (stopped, checkpoint) = attempt_from(None, &text(first), Some(12));
        assert_eq!(stopped.expect_err("it was stopped").code, FailureCode::Cancelled);
        let (ended, _) = attempt_from(Some(checkpoint.expect("a stop leaves one")), &text(then), None);
        for (name, value) in ended.unwrap_or_else(|failure| panic!("{first} to {then}: {failure}")).metrics {
            assert!((value - alone[&name]).abs() < 2e-4, "{first} to {then}, {name}: {value}");
        }
    }
}
