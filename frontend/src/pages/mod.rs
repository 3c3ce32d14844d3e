//! The screens.

mod compare;
mod data;
mod lab;
mod not_found;
mod plan;
mod recommenders;
mod run;
mod runs;
mod studies;

use leptos::prelude::*;

use crate::components::use_arrival;

pub(crate) use compare::ComparePage;
pub(crate) use data::DataPage;
pub(crate) use lab::LabPage;
pub(crate) use not_found::NotFound;
pub(crate) use plan::PlanPage;
pub(crate) use recommenders::RecommendersPage;
pub(crate) use run::RunPage;
pub(crate) use runs::RunsPage;
pub(crate) use studies::{StudiesPage, StudyPage};

/// Names the page for the browser's tab, its history and those who listen, anew whenever the name is another.
fn titled(name: Signal<String>) {
    called(Signal::derive(move || format!("{} · Recspeed", name.get())));
}

/// The same with the whole title.
fn called(title: Signal<String>) {
    let arrival = use_arrival();
    Effect::new(move |_| {
        document().set_title(&title.get());
        arrival.look();
    });
}
