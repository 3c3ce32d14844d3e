//! Networks so small that a test takes no time.

use recspeed_types::catalogue::{self, ParamKind};
use recspeed_types::spec::{ParamValue, RecommenderSpec};

/// A network of sizes that are all different, so that none can stand for another.
pub(crate) fn small(kind: &str) -> RecommenderSpec {
    let entry = catalogue::find(kind).expect("it is in the catalogue");
    let size = |name: &str| match name {
        "layers" | "blocks" | "vertical" => Some(2),
        "growth" | "horizontal" | "latent" => Some(3),
        "window" => Some(4),
        "embedding" => Some(5),
        "factors" => Some(6),
        "hidden" => Some(7),
        "length" => Some(9),
        "crosses" => Some(11),
        _ => None,
    };
    let mut spec = RecommenderSpec::new(kind);
    for param in entry.params {
        spec = match (&param.kind, size(param.name)) {
            (ParamKind::Integer { .. }, Some(size)) => spec.with(param.name, ParamValue::Integer(size)),
            (ParamKind::Integers { .. }, _) => spec.with(param.name, ParamValue::Integers(vec![8, 5, 3])),
            _ => spec,
        };
    }
    spec
}
