//! The models of the studio, as layers with costs.

use recspeed_plan::Layer;
use recspeed_plan::dense::{DENSENET_INPUTS, MLP_INPUTS, Speed, densenet, mlp};

use super::setup::Setup;

/// More layers than this are not drawn.
pub(super) const MAX_LAYERS: usize = 1000;
/// Wider layers than this are not planned.
pub(super) const MAX_WIDTH: u64 = 100_000;

/// The layers of the model that is set, on ranks of this speed.
///
/// # Errors
/// What is wrong with a list of widths.
pub(super) fn layers(setup: &Setup, speed: Speed) -> Result<Vec<Layer>, String> {
    let (depth, width) = (setup.depth as u64, setup.width as u64);
    Ok(match setup.model {
        "mlp" => {
            let mut widths = vec![MLP_INPUTS];
            widths.extend(std::iter::repeat_n(width, setup.depth));
            widths.push(1);
            mlp(&widths, speed)
        }
        "layers" => mlp(&widths(&setup.widths)?, speed),
        _ => densenet(DENSENET_INPUTS, depth, width, 1, speed),
    })
}

/// Widths as written: `3, 64*3, 1` is 3, 64, 64, 64, 1.
pub(super) fn widths(text: &str) -> Result<Vec<u64>, String> {
    let mut widths = Vec::new();
    for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
        let (width, times) = part.split_once('*').unwrap_or((part, "1"));
        let number = |text: &str, most: u64| text.parse::<u64>().ok().filter(|n| (1..=most).contains(n));
        let (Some(width), Some(times)) = (number(width, MAX_WIDTH), number(times, MAX_LAYERS as u64)) else {
            return Err(format!(
                "`{part}` is no width: write numbers from 1 to {MAX_WIDTH}, or as 64*3 for three layers of 64."
            ));
        };
        if widths.len() + times as usize > MAX_LAYERS + 1 {
            return Err(format!("These are more than {MAX_LAYERS} layers: write fewer."));
        }
        widths.extend(std::iter::repeat_n(width, times as usize));
    }
    if widths.len() < 2 {
        return Err("A model needs at least two widths, as 3, 64*3, 1: what goes in and what comes out.".to_owned());
    }
    Ok(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read_with_repetitions() {
        assert_eq!(widths("3, 64*3, 1"), Ok(vec![3, 64, 64, 64, 1]));
        assert_eq!(widths("3 64,1 "), Ok(vec![3, 64, 1]));
    }

    #[test]
    fn what_is_no_width_is_named() {
        for wrong in ["3, x, 1", "3, 0, 1", "3, 64*0, 1", "3, 64**2, 1", "3, -4, 1", "3, 99999999999999999999, 1"] {
            let error = widths(wrong).expect_err(wrong);
            assert!(error.contains("is no width"), "{error}");
        }
        assert!(widths("3").expect_err("one").contains("two widths"));
        assert!(widths("3, 64*900, 64*900, 1").expect_err("many").contains("more than 1000 layers"));
    }

    #[test]
    fn the_paper_s_networks_have_their_sizes() {
        let setup = Setup { model: "mlp", depth: 3, width: 64, ..Setup::default() };
        let layers = layers(&setup, setup.speed()).expect("it is a model");
        assert_eq!(layers.iter().map(|layer| layer.parameters).sum::<u64>(), 8_641);
    }
}
