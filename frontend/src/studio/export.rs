//! The command that draws the plan in a terminal.

use std::fmt::Write as _;

use recspeed_plan::pace::GFLOPS;
use recspeed_plan::simulate::Link;
use recspeed_types::limits::MAX_PLANNED_RANKS;
use recspeed_types::spec::TableSharding;
use recspeed_types::{ExperimentSpec, Extent, encode_permalink};

use super::setup::Setup;

/// Bytes a microsecond of a GB/s.
const BYTES_PER_US: f64 = 1000.0;

/// The very plan that is drawn, for `recspeed plan`: the experiment as a link, and how fast ranks and links are. `counts`: the layers of
/// each stage.
///
/// # Errors
/// Why no command has it: what is drawn is no experiment.
pub(crate) fn command(setup: &Setup, counts: &[usize]) -> Result<String, String> {
    let base = match setup.recommender()? {
        Some(recommender) => ExperimentSpec { recommender, ..ExperimentSpec::default() },
        None => setup.experiment().ok_or("its experiment cannot be read")?,
    };
    let spec = setup.written_to_plan(&base, counts)?;
    let payload = encode_permalink(&spec).map_err(|error| error.to_string())?;
    let mut text = format!("recspeed plan \"#x={payload}\"");
    // Writing to a String does not fail.
    if setup.gflops != GFLOPS as usize {
        let _ = write!(text, " --gflops {}", setup.gflops);
    }
    let link = setup.link();
    if link != Link::MEMORY {
        let _ = write!(text, " --bandwidth {} --latency {}", link.bytes_per_us / BYTES_PER_US, link.latency_us);
    }
    // What is known of the data here: a terminal would read them, and count what the page cannot.
    if let Some(data) = tables_over(&spec) {
        let _ = write!(text, " --users {} --items {}", data.users, data.items);
    }
    Ok(text)
}

/// How large the data are that an experiment has tables of embeddings over, where that is known.
fn tables_over(spec: &ExperimentSpec) -> Option<Extent> {
    if !TableSharding::suits(&spec.recommender.kind) {
        return None;
    }
    Extent::foretold(&spec.resolve_to_plan(MAX_PLANNED_RANKS).ok()?.dataset)
}

#[cfg(test)]
mod tests {
    use recspeed_plan::{Assumed, Outlook, of_spec};
    use recspeed_types::decode_permalink;

    use super::super::setup::Cut;
    use super::*;

    fn said(setup: &Setup) -> Result<String, String> {
        let (_, outlook) = setup.plan().unwrap_or_else(|why| panic!("{why}"));
        command(setup, &outlook.partition.counts())
    }

    /// What the terminal plans by a command, which it reads as its own arguments say.
    fn planned(command: &str) -> Outlook {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words[..2], ["recspeed", "plan"]);
        let number = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            Some(words[at + 1].parse::<f64>().unwrap_or_else(|why| panic!("{command}: {why}")))
        };
        let payload = words[2].trim_matches('"').strip_prefix("#x=").unwrap();
        let spec = decode_permalink(payload).unwrap().resolve_to_plan(MAX_PLANNED_RANKS).unwrap();
        let link = Link {
            latency_us: number("--latency").unwrap_or(2.0),
            bytes_per_us: number("--bandwidth").unwrap_or(10.0) * BYTES_PER_US,
        };
        let ids = number("--users").zip(number("--items"));
        let data = ids.map(|(users, items)| Extent::of_ids(users as u64, items as u64));
        let assumed = Assumed { link, ..Assumed::threads(number("--gflops").unwrap_or(GFLOPS)) };
        Outlook::of(&of_spec(&spec, assumed.on(data)).unwrap()).unwrap()
    }

    fn is_what_is_drawn(setup: &Setup) {
        let command = said(setup).unwrap_or_else(|why| panic!("{setup:?}: {why}"));
        let (drawn, told) = (setup.plan().unwrap().1, planned(&command));
        assert_eq!(drawn.partition, told.partition, "{setup:?}");
        assert_eq!(drawn.simulation, told.simulation, "{setup:?}");
        assert_eq!((&drawn.ranks, drawn.beside), (&told.ranks, told.beside), "{setup:?}");
    }

    #[test]
    fn the_command_gives_the_very_plan_on_the_screen() {
        let hand = || Cut::ByHand(vec![27, 79, 24, 21]);
        let small = || Setup { depth: 11, width: 16, batch: 64, ..Setup::default() };
        for setup in [
            Setup::default(),
            // What the first visitor did: stages dragged, and replicas that divide their gradients.
            Setup { schedule: "zb-h1", cut: hand(), replicas: 2, zero: "2", ..Setup::default() },
            Setup { schedule: "1f1b", cut: hand(), link: "gigabit", gflops: 900, ..Setup::default() },
            Setup { schedule: "interleaved", chunks: 2, ranks: 2, cut: hand(), ..Setup::default() },
            Setup { cut: Cut::Memory, recompute: "always", link: "none", ..small() },
            Setup { cut: Cut::Parameters, recompute: "except-last", optimizer: "sgd", link: "10gigabit", ..small() },
            Setup { model: "mlp", replicas: 3, zero: "3", offload: "host", link: "infiniband", ..small() },
            Setup { model: "layers", widths: "3, 64*9, 32, 1".to_owned(), link: "nvlink", ..small() },
            // More ranks than a run can have.
            Setup { replicas: 128, zero: "1", ..small() },
            // One rank that takes a batch in parts, and one that takes it whole.
            Setup { ranks: 1, recompute: "always", offload: "host", ..small() },
            Setup { ranks: 1, micro_batches: 1, ..small() },
        ] {
            is_what_is_drawn(&setup);
        }
    }

    #[test]
    fn the_command_of_an_experiment_with_tables_names_the_data_that_the_page_counted_with() {
        for kind in ["dlrm", "sasrec"] {
            let text = format!(
                "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"{kind}\"\n\
                 [training]\nbatch_size = 128\n[evaluation]\nmetrics = [\"ndcg@10\"]\n[strategy]\nkind = \"pipeline\"\nstages = 2\n"
            );
            let setup = Setup::of_spec(&ExperimentSpec::from_toml(&text).unwrap()).unwrap();
            assert!(said(&setup).unwrap().ends_with(" --users 2400 --items 1500"), "{kind}");
            is_what_is_drawn(&setup);
        }
    }

    #[test]
    fn layers_that_are_no_experiment_have_no_command_and_say_why() {
        let why = said(&Setup { model: "layers", ..Setup::default() }).unwrap_err();
        assert!(why.contains("begins with 3 numbers, ends with 1"), "{why}");
        let why = said(&Setup { model: "mlp", depth: 31, ..Setup::default() }).unwrap_err();
        assert!(why.contains("recommender.hidden"), "{why}");
    }
}
