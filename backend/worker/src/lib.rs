//! Runs one spec, then exits.
