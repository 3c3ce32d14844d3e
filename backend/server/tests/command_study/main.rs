//! `recspeed study` against workers that are shell scripts.

mod bench;
mod stopped;
mod whole;
