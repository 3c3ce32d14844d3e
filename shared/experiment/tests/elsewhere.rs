//! A training in another framework, which a few lines play: what the result says of it.

use recspeed_data::parts::Parts;
use recspeed_data::{ReadReport, generate};
use recspeed_experiment::{
    Elsewhere, Host, Job, LoadedData, ProcessMemory, RunFailure, Trained, Trainer, TrainerFailure, run,
};
use recspeed_types::spec::{Dataset, ResolvedSpec, Source};
use recspeed_types::summary::{EngineInfo, MatrixPrecision};
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, FitObserver, Mode, RunId};

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
