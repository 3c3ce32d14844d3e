//! The page of the lab: knobs and TOML on one side, a run that learns on the other.
//!
//! `pages` are screens and know `state`; `components` are their parts and know `charts`; `form`, `studio` and the geometry of the
//! charts are plain data with tests; only `state` speaks HTTP, SSE and to the web worker.

#![allow(unreachable_pub, reason = "the component macro makes public items inside private modules")]

mod app;
mod charts;
mod components;
mod form;
mod pages;
mod state;
mod studio;

fn main() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(app::App);
}
