//! `recspeed study` against workers that are shell scripts.

mod bench;
mod endings;
mod stopped;
mod whole;
