//! What the paper printed. Source: Recommending with Speed; the tables as its text gives them.

use serde::Serialize;

/// A row of the paper's table of the four-layer network: 10,000 ratings, 3 epochs.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct FourLayer {
    pub(super) engine: &'static str,
    pub(super) seconds: f64,
    pub(super) rmse: f64,
    pub(super) mae: f64,
}

pub(super) const FOUR_LAYER: [FourLayer; 3] = [
    FourLayer { engine: "PyTorch", seconds: 15.0, rmse: 0.37, mae: 0.0563 },
    FourLayer { engine: "TensorFlow", seconds: 17.0, rmse: 0.40, mae: 0.067 },
    FourLayer { engine: "PyVelox", seconds: 13.0, rmse: 0.37, mae: 0.0563 },
];
