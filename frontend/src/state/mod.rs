//! What the page knows: the draft, the runs, the lab behind it. Only this module speaks HTTP, SSE and to the worker.

mod answerer;
pub(crate) mod api;
mod batch;
mod check;
mod clipboard;
mod download;
mod ending;
mod files;
mod forecast;
mod kept;
mod lab;
mod live;
mod location;
mod questions;
mod reply;
mod run_view;
mod session;
mod showcase;
mod tab;
mod theme;
mod toast;
mod upload;

pub(crate) use answerer::{Answerer, Answers};
pub(crate) use clipboard::copy;
pub(crate) use download::{curve_csv, save};
pub(crate) use ending::Ending;
pub(crate) use files::{HeldFile, head as file_head, hold as hold_file};
pub(crate) use kept::{keep, kept};
pub(crate) use lab::{Lab, LabState, Looker, comparable, has_curve, same_experiment, same_loss, use_lab};
pub(crate) use live::{Link, ListChange, follow, link, unfollow, unheard_s, unwatch_list, watch_list};
pub(crate) use location::{
    comparison_url, on_this_machine, permalink_url, plan_address, plan_query, read as read_location, run_url,
};
pub(crate) use reply::Reply;
pub(crate) use run_view::{CurveKey, Point, Progress, Rows, RunView, loss_first};
pub(crate) use session::{Origin, RunState, Session};
pub(crate) use tab::is_of_a_tab;
pub(crate) use theme::{Theme, system_is_dark};
pub(crate) use toast::Toasts;
pub(crate) use upload::{Upload, send as send_file};
