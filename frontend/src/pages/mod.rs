//! The screens.

mod lab;
mod not_found;
mod plan;
mod run;
mod runs;

pub(crate) use lab::LabPage;
pub(crate) use not_found::NotFound;
pub(crate) use plan::PlanPage;
pub(crate) use run::RunPage;
pub(crate) use runs::RunsPage;
