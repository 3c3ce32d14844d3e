//! The in-tab runner: a web worker that speaks the run protocol.
