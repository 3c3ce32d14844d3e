//! Curves and bars: geometry in plain structs, drawing in thin components. Charts fetch nothing and know no page.

mod bars;
mod curve;
mod number;
mod order;
mod series;
mod summary;
mod timeline;
mod uplot;

pub(crate) use bars::{MetricBars, bars};
pub(crate) use curve::CurveChart;
pub(crate) use number::{bytes, count, counted, difference, duration, is_beyond_rounding, share, trimmed, value};
pub(crate) use order::in_order;
pub(crate) use series::{Plot, curve_title};
pub(crate) use timeline::{Scene, paint};

pub(crate) use recspeed_types::capital;
