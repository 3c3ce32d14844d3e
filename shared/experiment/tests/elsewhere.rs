//! A training in another framework, which a few lines play: what the result says of it.

use std::collections::BTreeMap;

use recspeed_data::parts::{Parts, Values};
use recspeed_data::{ReadReport, generate};
use recspeed_experiment::{
    Elsewhere, Host, Job, LoadedData, ProcessMemory, RunFailure, Trained, Trainer, TrainerFailure, run,
};
use recspeed_types::spec::{Dataset, ResolvedSpec, Source};
use recspeed_types::summary::{Begun, EngineInfo, MatrixPrecision};
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, FitObserver, Mode, RunId};

/// What an engine is to say of the numbers that it has read, in other words than the lab's own.
fn digest(words: impl Iterator<Item = u32>) -> String {
    let sum = words.zip(1_u64..).fold(0_u64, |sum, (word, place)| {
        let mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(word));
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        sum.wrapping_add(mixed ^ (mixed >> 31))
    });
    format!("{sum:016x}")
}

fn begun(job: &Job<'_>) -> Begun {
    let named = job.parts.iter().filter_map(|(name, array)| match &array.values {
        Values::F32(numbers) => Some((name.strip_prefix("initial/")?.to_owned(), numbers.clone())),
        _ => None,
    });
    let by_name: BTreeMap<String, Vec<f32>> = named.collect();
    Begun {
        weights: digest(by_name.into_values().flatten().map(f32::to_bits)),
        orders: digest((0..job.epochs).flat_map(|epoch| (job.order)(epoch))),
    }
}

/// Hands back the weights that it was given.
struct Idle;

impl Trainer for Idle {
    fn train(&mut self, job: &Job<'_>, _: &mut dyn FitObserver) -> Result<Trained, TrainerFailure> {
        let initial =
            job.parts.iter().filter_map(|(name, array)| name.strip_prefix("initial/").map(|name| (name, array)));
        let parts =
            initial.fold(Parts::default(), |parts, (name, array)| parts.with(name, &array.shape, array.values.clone()));
        Ok(Trained {
            parts,
            final_loss: 1.0,
            begun: Some(begun(job)),
            by: Elsewhere {
                seconds: 0.25,
                threads: 7,
                versions: [("torch".to_owned(), "2.10.0".to_owned())].into(),
                precision: Some(MatrixPrecision::Tf32),
            },
        })
    }
}

struct Desk;

impl FitObserver for Desk {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

impl Host for Desk {
    fn load(&mut self, dataset: &Dataset, seed: u64) -> Result<LoadedData, RunFailure> {
        let Source::Builtin { entry } = &dataset.source else {
            return Err(RunFailure::new(FailureCode::Data, "this desk has no files"));
        };
        let made = generate(entry, seed);
        Ok(LoadedData {
            interactions: made.interactions,
            item_attributes: None,
            user_attributes: None,
            report: ReadReport::default(),
            name: "desk".into(),
            sha256: String::new(),
            synthetic: true,
            warnings: Vec::new(),
        })
    }
    fn engine(&self, spec: &ResolvedSpec) -> Result<EngineInfo, RunFailure> {
        let kind = spec.engine.kind.as_str().to_owned();
        let (device, host) = ("cpu".into(), "desk".into());
        let versions = [("torch", "2.9.0"), ("recspeed", "0.1.0")];
        let versions = versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
        Ok(EngineInfo { kind, device, versions, host, threads: 2, precision: None })
    }
    fn trainer(&mut self, _: &ResolvedSpec) -> Result<Box<dyn Trainer>, RunFailure> {
        Ok(Box::new(Idle))
    }
    fn now_us(&self) -> u64 {
        0
    }
    fn memory(&self) -> ProcessMemory {
        ProcessMemory::default()
    }
}

#[test]
fn the_result_says_with_what_and_how_many_threads_the_framework_computed_and_not_with_what_it_should_have() {
    let spec = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[engine]\nkind = \"pytorch\"\n\
                [recommender]\nkind = \"mlp\"\n[evaluation]\nmetrics = [\"rmse\"]\n";
    let spec = ExperimentSpec::from_toml(spec).expect("the test's spec parses");
    let outcome = run(&RunId::new("desk").expect("letters"), &spec, &mut Desk).expect("it ends");
    let summary = outcome.summary;
    assert_eq!((summary.engine.kind.as_str(), summary.engine.threads), ("pytorch", 7));
    assert_eq!(summary.engine.precision, Some(MatrixPrecision::Tf32));
    let versions: Vec<_> = summary.engine.versions.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
    assert_eq!(
        versions,
        [("recspeed", "0.1.0"), ("torch", "2.10.0")],
        "the one that ran, not the one that was installed"
    );
    assert_eq!(summary.timing.fit_s, 0.25);
    assert_eq!(summary.mode, Some(Mode::Seeded), "another framework promises no bits");
}

#[test]
fn the_labs_own_training_begins_with_the_weights_and_the_orders_that_it_hands_to_another_framework() {
    for network in ["kind = \"mlp\"\nhidden = [8, 4]", "kind = \"densenet\"\nlayers = 3\ngrowth = 4\ndropout = 0.0"] {
        let of = |engine: &str, seed: u64| {
            let spec = format!(
                "version = 1\nseed = {seed}\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 500\n\
                 [engine]\nkind = \"{engine}\"\n[recommender]\n{network}\n[training]\nepochs = 3\nbatch_size = 64\n\
                 [evaluation]\nmetrics = [\"rmse\"]\n"
            );
            let spec = ExperimentSpec::from_toml(&spec).expect("the test's spec parses");
            let outcome = run(&RunId::new("desk").expect("letters"), &spec, &mut Desk);
            let training = outcome.unwrap_or_else(|failure| panic!("{engine}: {failure:?}")).summary.training;
            training.expect("it was trained").begun.expect("it says what it began with")
        };
        let own = of("burn", 42);
        assert_eq!(own, of("pytorch", 42), "{network}");
        let other = of("burn", 43);
        assert!(own.weights != other.weights && own.orders != other.orders, "{network}: another seed draws others");
    }
}
