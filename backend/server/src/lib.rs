//! The lab: API, store, queue, launchers, access, command line.
