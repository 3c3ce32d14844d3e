//! `recspeed study` against workers that are shell scripts.

mod bench;
mod endings;
mod parts;
mod recorded;
mod stopped;
mod whole;
