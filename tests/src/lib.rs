//! End to end tests: conformance, API, faults, the rules of the house.
