//! What this program was built from.

use std::sync::OnceLock;

use recspeed_types::build;

static VERSION: OnceLock<String> = OnceLock::new();

/// Says what this program was built from, before anything asks: only the program itself knows, so that this library need not be compiled
/// again at each commit.
pub fn tell(built_from: Option<&str>) {
    VERSION.get_or_init(|| versioned(built_from));
}

/// The version of this program, and what it was built from.
pub fn version() -> &'static str {
    VERSION.get_or_init(|| versioned(None))
}

fn versioned(built_from: Option<&str>) -> String {
    build::version(env!("CARGO_PKG_VERSION"), built_from)
}
