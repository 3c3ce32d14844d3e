//! Times one epoch of a sequence model on the training rows of a file of sequences (all but the last two of each user).
//!
//! `cargo run --release -p recspeed-neural --example sequence_epoch -- FILE [SETTING=VALUE …]`: `epochs=3`, `loss=bce` and
//! `batch_size=128` belong to the training, `kind=sasrec` names the model, everything else is one of its parameters. Prints one
//! JSON object a call: the seconds of each epoch after the first.

mod support;

use std::time::Instant;

use recspeed_data::{ReadLimits, read_ratings, split};
use recspeed_neural::{FitRequest, NeuralDevice, Rows, fit};
use recspeed_types::event::EventKind;
use recspeed_types::spec::DataFormat;
use recspeed_types::{ExperimentSpec, FitObserver};

/// Notes when each epoch ended.
struct Clock {
    ends: Vec<Instant>,
    loss: f64,
}

impl FitObserver for Clock {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Metric { name, value, .. } = event
            && name == "epoch-loss"
        {
            self.ends.push(Instant::now());
            self.loss = value;
        }
    }

    fn stop_requested(&mut self) -> bool {
        false
    }

    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("the first argument is the file of sequences")?;
    let (mut kind, mut training, mut parameters) = ("sasrec".to_owned(), Vec::new(), Vec::new());
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or("settings are written as name=value")?;
        let quoted = if value.parse::<f64>().is_ok() || value == "true" || value == "false" {
            value.to_owned()
        } else {
            format!("\"{value}\"")
        };
        match name {
            "kind" => value.clone_into(&mut kind),
            "epochs" | "loss" | "batch_size" | "learning_rate" => training.push(format!("{name} = {quoted}")),
            _ => parameters.push(format!("{name} = {quoted}")),
        }
    }
    let (training, parameters) = (training.join("\n"), parameters.join("\n"));
    let spec = ExperimentSpec::from_toml(&format!(
        "version = 1\nseed = 42\n[dataset]\nsource = \"file\"\npath = \"{path}\"\nformat = \"sequences\"\n\
         [split]\nkind = \"leave-last-out\"\nvalidation = true\n[recommender]\nkind = \"{kind}\"\n{parameters}\n\
         [training]\n{training}\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
    ))?
    .resolve()?;
    let data = read_ratings(DataFormat::Sequences, &std::fs::read(&path)?, ReadLimits::default())?.interactions;
    let rows = split(&data, &spec.split, spec.seed)?;
    let trained = spec.training.ok_or("the network is trained step by step")?;
    let request = FitRequest {
        recommender: &spec.recommender,
        training: &trained,
        train: Rows { interactions: &data, rows: &rows.train },
        validation: Rows { interactions: &data, rows: &[] },
        item_attributes: None,
        user_attributes: None,
        threshold: spec.evaluation.threshold,
        seed: spec.seed,
        device: NeuralDevice::default(),
    };
    let mut clock = Clock { ends: vec![Instant::now()], loss: 0.0 };
    let fitted = fit(&request, &mut clock)?;
    let seconds: Vec<f64> = clock.ends.windows(2).map(|ends| (ends[1] - ends[0]).as_secs_f64()).collect();
    let counted = if seconds.len() > 1 { &seconds[1..] } else { &seconds[..] };
    println!(
        r#"{{"name":"Recspeed, {kind}, {}","version":"{}","seconds":{counted:?},"peak_bytes":{},"note":"{} parameters, {} steps an epoch, last loss {:.4}"}}"#,
        trained.loss.as_str(),
        recspeed_neural::BURN_VERSION,
        support::peak_bytes(),
        fitted.info.parameters,
        fitted.info.steps / u64::from(fitted.info.epochs.max(1)),
        clock.loss,
    );
    Ok(())
}
