//! Strategies that cannot be: refused whatever they say, with the nearest that can.

use proptest::prelude::*;
use recspeed_types::ExperimentSpec;
use recspeed_types::limits::MAX_PLANNED_RANKS;

/// A spec of the four-layer network with these assignments.
fn spec(assignments: &[String]) -> Result<ExperimentSpec, String> {
    let network = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"mlp\"\n[training]\nbatch_size = 256\n";
    ExperimentSpec::from_toml_with(network, assignments).map_err(|errors| errors.to_string())
}

fn resolved(assignments: &[String]) -> Result<(), String> {
    spec(assignments)?.resolve().map(|_| ()).map_err(|errors| errors.to_string())
}

fn assignments(words: &str) -> Vec<String> {
    words.split_whitespace().map(|word| format!("strategy.{word}")).collect()
}

#[test]
fn what_is_refused_says_the_nearest_that_can_be_and_that_resolves() {
    for (given, said, mended) in [
        ("kind=pipeline stages=5", "strategy.stages = 4 or fewer", "kind=pipeline stages=4"),
        (
            "kind=pipeline schedule=interleaved stages=2 chunks=5",
            "set strategy.chunks = 2 or fewer",
            "kind=pipeline schedule=interleaved stages=2 chunks=2",
        ),
        (
            "kind=pipeline schedule=interleaved stages=2 chunks=3",
            "set strategy.stages = 1, or strategy.chunks = 2 or fewer",
            "kind=pipeline schedule=interleaved stages=1 chunks=3",
        ),
        ("kind=hybrid ranks=64 stages=3", "set it to 63", "kind=hybrid ranks=63 stages=3"),
        ("kind=hybrid ranks=1 stages=3", "set it to 3", "kind=hybrid ranks=3 stages=3"),
        ("kind=hybrid ranks=7 stages=3", "set it to 6 or 9", "kind=hybrid ranks=9 stages=3"),
        (
            "kind=pipeline ranks=3 stages=2",
            "set it to 2, as it is where it is left out",
            "kind=pipeline ranks=2 stages=2",
        ),
        ("kind=hybrid stages=4 tensor=17", "set it to 16 or fewer", "kind=hybrid stages=4 tensor=16"),
    ] {
        let message = resolved(&assignments(given)).expect_err(given);
        assert!(message.contains(said), "{given}: {message}");
        assert!(!message.contains("66"), "beyond the limit: {message}");
        assert_eq!(resolved(&assignments(mended)), Ok(()), "{mended}");
    }
}

proptest! {
    #[test]
    fn no_numbers_crash_the_check(
        kind in prop::sample::select(vec!["single", "data-parallel", "zero", "pipeline", "hybrid"]),
        numbers in prop::collection::vec(
            prop::option::of(prop::sample::select(vec![0_u32, 1, 2, 3, 5, 63, 64, 65, 1_000_000, u32::MAX])), 7),
        interleaved in any::<bool>(),
    ) {
        let names = ["ranks", "stages", "tensor", "micro_batches", "chunks", "stage", "timeout"];
        let given = names.iter().zip(&numbers).filter_map(|(name, number)| Some(format!("strategy.{name}={}", (*number)?)));
        let schedule = interleaved.then(|| "strategy.schedule=interleaved".to_owned());
        let all: Vec<String> = given.chain(schedule).chain([format!("strategy.kind={kind}")]).collect();
        // Whether it can be or not: it ends, and 0 is told where it is given.
        if let Err(message) = resolved(&all) {
            prop_assert!(message.contains("strategy."), "{}", message);
        }
    }
}

#[test]
fn no_ranks_or_stages_are_refused_and_not_divided_by() {
    for (given, path) in [
        ("kind=hybrid ranks=4 stages=1 tensor=0", "strategy.tensor"),
        ("kind=pipeline ranks=2 stages=0", "strategy.stages"),
        ("kind=zero ranks=0", "strategy.ranks"),
    ] {
        let message = resolved(&assignments(given)).expect_err(given);
        assert!(message.contains(path), "{given}: {message}");
    }
}

#[test]
fn a_number_that_is_refused_is_one_mistake_and_nothing_follows_from_it() {
    for (given, told) in [
        ("kind=hybrid ranks=0 stages=2", "strategy.ranks: is 0; allowed: 1 to 64"),
        ("kind=hybrid ranks=1000 stages=3", "strategy.ranks: is 1000; allowed: 1 to 64"),
        ("kind=pipeline ranks=2 stages=0", "strategy.stages: is 0; allowed: 1 to 64"),
        ("kind=pipeline stages=65", "strategy.stages: is 65; allowed: 1 to 64"),
        ("kind=hybrid ranks=4 tensor=0", "strategy.tensor: is 0; allowed: 1 to 64"),
        ("kind=pipeline micro_batches=2000", "strategy.micro_batches: is 2000; allowed: 1 to 1024"),
        ("kind=pipeline chunks=17", "strategy.chunks: is 17; allowed: 1 to 16"),
    ] {
        let errors = spec(&assignments(given)).unwrap().resolve().expect_err(given);
        let all: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(all, [told], "{given}");
    }
}

#[test]
fn a_number_that_its_type_cannot_hold_is_refused_with_the_range_of_its_field() {
    for (given, told) in [
        ("strategy.micro_batches=4294967296", "strategy.micro_batches: is 4294967296; allowed: 1 to 1024"),
        ("strategy.ranks=-1", "strategy.ranks: is -1; allowed: 1 to 64"),
        ("training.epochs=-1", "training.epochs: is -1; allowed: 1 to 10000"),
        // No whole number, and so not one that is too large.
        ("training.epochs=1.5", "training.epochs: is 1.5; allowed: a whole number, 0 or more"),
    ] {
        let message = spec(&["strategy.kind=hybrid".to_owned(), given.to_owned()]).expect_err(given);
        assert!(message.contains(told), "{given}: {message}");
    }
    // Each beside the other.
    let both = ["strategy.kind=hybrid", "strategy.stages=-3", "strategy.micro_batches=9999999999"].map(str::to_owned);
    let message = spec(&both).expect_err("two mistakes");
    assert!(message.contains("stages: is -3; allowed: 1 to 64"), "{message}");
    assert!(message.contains("micro_batches: is 9999999999; allowed: 1 to 1024"), "{message}");
}

#[test]
fn one_that_can_be_had_is_not_called_one_or_fewer() {
    for (given, said) in [
        (
            "kind=pipeline schedule=interleaved stages=4 chunks=2",
            "set strategy.stages = 2 or fewer, or strategy.chunks = 1",
        ),
        ("kind=hybrid stages=64 tensor=2", "set it to 1"),
    ] {
        let message = resolved(&assignments(given)).expect_err(given);
        assert!(message.contains(said) && !message.contains(" 1 or fewer"), "{given}: {message}");
    }
}

#[test]
fn more_ranks_than_a_run_can_have_resolve_to_be_planned_and_no_more_than_that() {
    let to_plan = |given: &str| {
        let planned = spec(&assignments(given))?.resolve_to_plan(MAX_PLANNED_RANKS);
        planned.map(|spec| spec.strategy.ranks).map_err(|errors| errors.to_string())
    };
    for (given, ranks) in [("kind=zero ranks=256 stage=3", 256), ("kind=hybrid ranks=128 stages=2", 128)] {
        let message = resolved(&assignments(given)).expect_err(given);
        assert!(message.contains("allowed: ") && message.contains("to 64"), "{given}: {message}");
        assert_eq!(to_plan(given), Ok(ranks), "{given}");
    }
    let message = to_plan("kind=zero ranks=4097").expect_err("too many");
    assert!(message.contains("strategy.ranks") && message.contains("to 4096"), "{message}");
}
