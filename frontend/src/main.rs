//! The page of the lab: knobs and TOML on one side, a run that learns on the other.
//!
//! `pages` are screens and know `state`; `components` are their parts and know `charts`; `form`, `studio` and the geometry of the
//! charts are plain data with tests; only `state` speaks HTTP, SSE and to the web worker.

#![allow(unreachable_pub, reason = "the component macro makes public items inside private modules")]
// Outside of a browser the page is checked and tested, never run: a build of the whole workspace spends no minutes on a program of it.
#![cfg_attr(not(any(target_arch = "wasm32", clippy)), allow(dead_code, unused_imports))]

mod app;
mod charts;
mod components;
mod form;
mod pages;
mod state;
mod studio;

#[cfg(any(target_arch = "wasm32", clippy))]
fn main() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(app::App);
}

#[cfg(not(any(target_arch = "wasm32", clippy)))]
fn main() {
    eprintln!("This is the page of the lab: it runs in a browser, and `make page` builds it.");
}
