//! About how long networks are foretold to train.

use recspeed_plan::pace::{lessons_seconds, training_seconds};
use recspeed_plan::{Assumed, Lessons, learnt, pace};
use recspeed_types::catalogue;
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::{ExperimentSpec, Extent};

fn spec(recommender: &str, training: &str) -> ResolvedSpec {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"random\"\n\
         validation_ratio = 0.1\n[recommender]\n{recommender}\n[training]\n{training}\n[evaluation]\n\
         metrics = [\"ndcg@10\"]\n"
    );
    ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn seconds(recommender: &str, training: &str, (data, rows): (&Extent, u64)) -> f64 {
    let spec = spec(recommender, training);
    let training = spec.training.as_ref().expect("it is trained");
    training_seconds(&spec.recommender, training, data, rows).expect("a network")
}

/// What one epoch more takes.
fn an_epoch(recommender: &str, training: &str, of: (&Extent, u64)) -> f64 {
    let [one, two] = [1, 2].map(|epochs| seconds(recommender, &format!("epochs = {epochs}\n{training}"), of));
    two - one
}

/// Networks of the catalogue, with as many tables as each has.
fn networks() -> Vec<(&'static str, usize)> {
    let data = Extent::of_ids(24_000, 8000);
    let kinds = catalogue::ENTRIES.iter().filter(|entry| entry.is_trained()).map(|entry| entry.kind);
    let of = |kind: &'static str| {
        (kind, learnt(&spec(&format!("kind = \"{kind}\""), "").recommender, &data).unwrap().tables.len())
    };
    kinds.map(of).collect()
}

#[test]
fn a_network_of_tables_is_foretold_to_take_what_it_took_within_a_quarter() {
    // NeuMF with one layer of 8. Numbers of a vector, the optimizer, and seconds of the processor that an epoch more
    // took, on one thread of an AMD EPYC of two cores with other work on it (27 November 2026): `recspeed run` of
    // beauty-synthetic-100k and of beauty-synthetic, four fifths to learn from, with one epoch and with some more.
    let [small, large] = [(24_000, 8000, 80_000), (1_210_271, 249_274, 1_618_456)];
    for ((users, items, rows), width, optimizer, took) in [
        (small, 8, "adam", 0.149),
        (small, 64, "adam", 0.374),
        (large, 8, "adam", 7.38),
        (large, 64, "adam", 10.65),
        (large, 8, "sgd", 3.91),
        (large, 64, "sgd", 6.71),
    ] {
        let data = Extent::of_ids(users, items);
        let model = format!("kind = \"neumf\"\nfactors = {width}\nembedding = {width}\nhidden = [8]\nnegatives = 1");
        let foretold = an_epoch(&model, &format!("optimizer = \"{optimizer}\"\nbatch_size = 512"), (&data, rows));
        let of = format!("{rows} rows, {width} numbers, {optimizer}");
        assert!((0.8..1.25).contains(&(foretold / took)), "{of}: {foretold} s foretold, {took} s measured");
    }
}

#[test]
fn a_network_of_products_is_foretold_to_take_what_it_took_within_a_quarter() {
    // docs/benchmarks.md: SASRec on Beauty 5-core without each one's last two rows, an epoch on one thread in 0.858 s.
    let model = "kind = \"sasrec\"\nfactors = 64\nblocks = 1\nheads = 1\nlength = 50\nnegatives = 1\nshared_by = 1";
    let beauty = Extent::of_ids(22_363, 12_101);
    let foretold = an_epoch(model, "loss = \"bce\"\nbatch_size = 128", (&beauty, 198_502 - 2 * 22_363));
    assert!((0.75..1.25).contains(&(foretold / 0.858)), "{foretold} s foretold");
}

#[test]
fn a_network_of_histories_is_foretold_to_take_what_it_took_within_three_times() {
    // An epoch of `MovieLens` 100K or some of its rows, its validation included, on two threads of an Intel Xeon of two cores (28 November
    // 2026): what is set, rows, seconds.
    for (recommender, rows, took) in [
        ("kind = \"bert4rec\"", 100_000, 1.6),
        ("kind = \"bert4rec\"\nlength = 200", 100_000, 5.0),
        ("kind = \"bert4rec\"\nlength = 1024", 50_000, 3.1),
        ("kind = \"sasrec\"", 100_000, 1.3),
        ("kind = \"sasrec\"\nlength = 4096", 50_000, 2.6),
        ("kind = \"gru4rec\"", 100_000, 2.1),
        ("kind = \"gru4rec\"\nlength = 200", 100_000, 9.0),
        ("kind = \"caser\"", 100_000, 10.8),
        ("kind = \"caser\"\nwindow = 20", 20_000, 24.0),
    ] {
        let spec = spec(recommender, "epochs = 1");
        // About as uneven as those.
        let of = |user: u32| (18.0 + 86.0 * (943.0 / f64::from(user + 1)).ln()) * f64::from(rows) / 100_000.0;
        let learnt = (0..943_u32).flat_map(|user| (0..of(user) as u32).map(move |_| user));
        let lessons = Lessons::of(&spec.recommender, 943, learnt);
        let training = spec.training.as_ref().expect("it is trained");
        let told =
            lessons_seconds(&spec.recommender, training, &Extent::of_ids(943, 1682), &lessons).expect("a network");
        assert!((took / 3.0..took * 3.0).contains(&told), "{recommender} {rows}: {told} s foretold, {took} s measured");
    }
}

#[test]
fn every_epoch_takes_as_long_and_first_numbers_are_drawn_once() {
    let data = Extent::of_ids(24_000, 8000);
    for (kind, tables) in networks() {
        let of = |epochs: u32| seconds(&format!("kind = \"{kind}\""), &format!("epochs = {epochs}"), (&data, 80_000));
        let [one, two, three] = [1, 2, 3].map(of);
        assert!(((three - two) / (two - one) - 1.0).abs() < 1e-6, "{kind}: {one} {two} {three}");
        // What has no tables begins at once, as far as that is counted.
        let beginning = one - (two - one);
        assert!(
            if tables > 0 { beginning > 0.0 } else { beginning.abs() < 1e-6 * one },
            "{kind}: {beginning} of {one}"
        );
    }
}

#[test]
fn moments_are_moved_with_the_rows_that_are_looked_up_and_nothing_else() {
    let data = Extent::of_ids(24_000, 8000);
    for (kind, tables) in networks() {
        let [adam, sgd] = ["adam", "sgd"].map(|optimizer| {
            an_epoch(&format!("kind = \"{kind}\""), &format!("optimizer = \"{optimizer}\""), (&data, 80_000))
        });
        assert!(if tables > 0 { sgd < adam } else { (sgd / adam - 1.0).abs() < 1e-6 }, "{kind}: {sgd} {adam}");
    }
}

#[test]
fn more_rows_of_a_table_cost_a_pair_only_that_they_lie_in_no_cache() {
    // All in caches; the next two are not.
    let [few, many, most] = [(2000, 1000), (1_200_000, 250_000), (12_000_000, 2_500_000)].map(|(users, items)| {
        let data = Extent::of_ids(users, items);
        ["neumf", "dlrm", "deepfm"].map(|kind| an_epoch(&format!("kind = \"{kind}\""), "", (&data, 80_000)))
    });
    for ((few, many), most) in few.into_iter().zip(many).zip(most) {
        assert!(few < many, "{few} {many}");
        assert!((most / many - 1.0).abs() < 1e-3, "{many} {most}: no step goes over a whole table");
    }
}

#[test]
fn times_of_trainings_and_times_of_plans_assume_one_speed() {
    let data = Extent::of_ids(2400, 1500);
    let spec = spec("kind = \"mlp\"\nhidden = [64, 64, 64]", "epochs = 1");
    let layers = recspeed_plan::layers_of(&spec.recommender, &Assumed::threads(pace::GFLOPS)).unwrap();
    // Without what a call takes, and the biases.
    let planned: f64 = layers.iter().map(|layer| layer.time(1_000_000) - layer.time(0)).sum();
    let foretold = training_seconds(&spec.recommender, spec.training.as_ref().unwrap(), &data, 1_000_000).unwrap();
    assert!((foretold * 1e6 / planned - 1.0).abs() < 0.05, "{foretold} s and {planned} µs");
}
