//! Resolves a spec, runs it, evaluates it, emits its events.
