//! What is known of the draft's memory and time before it runs, here and on the server.

use leptos::prelude::*;
use recspeed_types::api::{LabInfo, Role};
use recspeed_types::forecast::{Foretold, Inverse, Processor};
use recspeed_types::spec::Device;
use recspeed_types::{Instead, ResolvedSpec};

use super::lab::{Lab, LabState};

/// What is told where memory and time follow from the rows.
const ONCE_READ: &str = "How much memory and time the fit needs is known once the data are read. What does not fit is \
                         refused then, before any work.";

/// What is told of an experiment before it runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Forecast {
    /// Whether a run in this tab would be refused before any work.
    pub tab: bool,
    /// Whether the server would refuse it, where whoever looks may run it there.
    pub server: bool,
    /// Why, in the words of the run; of both those of the one that may hold more.
    pub refusal: Option<String>,
    /// Settings to take instead.
    pub instead: Vec<Instead>,
    /// What it needs where it is not refused, as far as that is known.
    pub estimate: Option<String>,
}

impl Forecast {
    /// Who refuses it, before why.
    pub(crate) const fn whose(&self) -> &'static str {
        match (self.tab, self.server) {
            (true, true) => "Too much for this tab and for the server. ",
            (true, false) => "Too much for this tab. ",
            _ => "Too much for the server. ",
        }
    }

    /// `server`: bytes that a run may hold there, and threads that it computes on, where they are known.
    fn of(spec: &ResolvedSpec, server: Option<(u64, u32)>) -> Self {
        let inverse = match Foretold::of(spec) {
            None => return Self::default(),
            Some(Foretold::OnceRead) => return Self { estimate: Some(ONCE_READ.to_owned()), ..Self::default() },
            Some(Foretold::Inverse(inverse)) => inverse,
        };
        let told = |place: &str, processor: Processor| Some(format!("{place} {}.", inverse.estimate(processor)));
        let here = inverse.refusal(Inverse::ALLOWED_IN_A_TAB, Processor::Tab);
        let server = server.map(|(bytes, threads)| (bytes, Processor::Threads(spec.engine.threads.unwrap_or(threads))));
        let there = server.and_then(|(bytes, processor)| inverse.refusal(bytes, processor));
        let estimate = match (&here, server) {
            (None, _) => told("In this tab", Processor::Tab),
            (Some(_), Some((_, processor))) if there.is_none() => told("On the server", processor),
            _ => None,
        };
        let more_there = server.is_some_and(|(bytes, _)| bytes > Inverse::ALLOWED_IN_A_TAB);
        let (tab, server) = (here.is_some(), there.is_some());
        let refusal = if more_there { there.or(here) } else { here.or(there) };
        let instead = if tab || server { inverse.instead() } else { Vec::new() };
        Self { tab, server, refusal, instead, estimate }
    }
}

/// What a run on the server may hold, and on how many threads it computes; `None` where the server does not know it.
fn room(info: &LabInfo) -> Option<(u64, u32)> {
    let devices = &info.probe.as_ref()?.devices;
    let threads = devices.iter().find(|found| found.device == Device::Flex.as_str())?.threads?;
    Some((info.memory_limit?, threads))
}

impl Lab {
    /// What is told of the draft; nothing while it has mistakes.
    pub(crate) fn forecast(self) -> Forecast {
        let Ok(spec) = self.draft.with(|draft| draft.spec().resolve()) else { return Forecast::default() };
        let server = self.server.with(|state| match state {
            LabState::Here(info) if info.role == Role::Owner => room(info),
            LabState::Here(_) | LabState::Asking | LabState::Absent(_) => None,
        });
        Forecast::of(&spec, server)
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::ExperimentSpec;

    use super::*;

    fn of(data: &str, kind: &str, server: Option<(u64, u32)>) -> Forecast {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"{data}\"\n[recommender]\nkind = \"{kind}\"\n\
             [evaluation]\nmetrics = [\"ndcg@10\"]\n"
        );
        let spec = ExperimentSpec::from_toml(&text).expect("a spec").resolve().expect("it is possible");
        Forecast::of(&spec, server)
    }

    #[test]
    fn what_neither_tab_nor_server_can_hold_is_refused_before_it_runs_with_the_figures_of_who_has_more() {
        let told = of("beauty-synthetic", "ease", Some((64 << 30, 2)));
        assert!(told.tab && told.server && told.estimate.is_none(), "{told:?}");
        let why = told.refusal.as_deref().expect("it says why");
        assert!(
            why.contains("925.9 GiB of memory and about 108 hours (up to about 65,500 of them would fit)"),
            "{why}"
        );
        assert_eq!(told.instead, Instead::kinds("recommender", &["slim", "item-knn"]));
        assert!(told.whose().contains("this tab and for the server"));
        let small = of("beauty-synthetic", "ease", Some((1 << 30, 2)));
        assert!(small.tab && small.server, "{small:?}");
        assert!(
            small.refusal.is_some_and(|why| why.contains("up to about 11,500 of them would fit")),
            "a tab has more"
        );
        // Where nobody may ask the server, or nobody knows what it has, only the tab is spoken of.
        let alone = of("beauty-synthetic", "ease", None);
        assert!(alone.tab && !alone.server && alone.whose() == "Too much for this tab. ", "{alone:?}");
        assert!(alone.refusal.is_some_and(|why| why.contains("up to about 11,500 of them would fit")));
    }

    #[test]
    fn what_the_server_alone_can_hold_is_refused_in_the_tab_and_estimated_there() {
        let told = of("beauty-synthetic", "ease", Some((1 << 40, 64)));
        assert!(told.tab && !told.server, "{told:?}");
        assert_eq!(
            told.estimate.as_deref(),
            Some("On the server the dense inverse over all items needs 925.9 GiB of memory and about 3 hours.")
        );
    }

    #[test]
    fn what_fits_is_told_with_its_memory_and_time_and_what_only_rows_can_tell_says_so() {
        let told = of("beauty-synthetic-10k", "ease", Some((64 << 30, 2)));
        let inverse = "In this tab the dense inverse over all items needs 34.3 MiB of memory and about a second.";
        assert_eq!(told, Forecast { estimate: Some(inverse.to_owned()), ..Forecast::default() });
        let once_read = Forecast { estimate: Some(ONCE_READ.to_owned()), ..Forecast::default() };
        assert_eq!(of("beauty-synthetic", "slim", None), once_read);
        assert_eq!(of("beauty-synthetic", "popularity", None), Forecast::default());
    }
}
