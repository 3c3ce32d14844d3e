//! Times the paper's four-layer network: 10,000 ratings, 3 epochs, batches of 64, Adam, mean squared error.
//!
//! `cargo run --release -p recspeed-neural --example four_layer -- [RUNS] [HIDDEN]` prints one JSON object: the
//! seconds of each of RUNS fits (default 9) with three hidden layers of HIDDEN (default 64), one warm-up before.

mod support;

use std::time::Instant;

use recspeed_data::generate;
use recspeed_neural::{FitRequest, NeuralDevice, Rows, fit};
use recspeed_types::spec::ParamValue;
use recspeed_types::{ExperimentSpec, Unobserved, builtin};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().map_or(Ok(9), |text| text.parse())?;
    let hidden: i64 = arguments.next().map_or(Ok(64), |text| text.parse())?;

    let mut spec = ExperimentSpec::default();
    spec.recommender = spec.recommender.with("hidden", ParamValue::Integers(vec![hidden; 3]));
    let spec = spec.resolve()?;
    let training = spec.training.ok_or("the network is trained step by step")?;
    let data = generate(builtin::find("beauty-synthetic-10k").ok_or("no such data set")?, spec.seed).interactions;
    let rows: Vec<u32> = (0..data.len() as u32).collect();

    let mut seconds = Vec::with_capacity(runs);
    let mut last = None;
    for run in 0..=runs {
        let start = Instant::now();
        let request = FitRequest {
            recommender: &spec.recommender,
            training: &training,
            train: Rows { interactions: &data, rows: &rows },
            validation: Rows { interactions: &data, rows: &[] },
            item_attributes: None,
            user_attributes: None,
            threshold: spec.evaluation.threshold,
            seed: spec.seed,
            device: NeuralDevice::default(),
        };
        let fitted = fit(&request, &mut Unobserved)?;
        if run > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
        last = Some(fitted.info);
    }
    let info = last.ok_or("no run")?;
    println!(
        r#"{{"name":"Recspeed, Burn flex","version":"{}","seconds":{seconds:?},"peak_bytes":{},"note":"{} rows, {} epochs, batch {}, hidden {hidden}, {} parameters, last loss {}"}}"#,
        recspeed_neural::BURN_VERSION,
        support::peak_bytes(),
        rows.len(),
        info.epochs,
        training.batch_size,
        info.parameters,
        info.final_loss,
    );
    Ok(())
}
