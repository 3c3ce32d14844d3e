//! The strategy studio: how a model would be trained on many ranks, drawn while the knobs turn.

mod controls;
mod measured;
mod ranks;
mod run;
mod stages;
mod timeline;

use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};
use recspeed_plan::timeline::{Bar, Mark, Told, bars_of, chrome_trace_of_run, memory_of};
use recspeed_plan::{Bottleneck, Layout, Outlook, Room, Strategy, bottleneck};
use recspeed_types::event::{MemoryBytes, Sent};

use crate::components::{CopyField, Hint, Icon, Picture, or_main};
use crate::state::{plan_address, plan_query, save};
use crate::studio::{ByRun, Cut, Headline, Refusal, Setup, command, dropped, headline, nearest, verdict};

/// A plan with everything that is drawn of it.
struct Planned {
    setup: Setup,
    strategy: Strategy,
    outlook: Outlook,
    bars: Vec<Bar>,
    found: Bottleneck,
}

/// What the parts of the page share.
#[derive(Clone, Copy)]
struct Studio {
    /// What is set.
    setup: RwSignal<Setup>,
    /// The newest plan that is possible: what the page shows.
    planned: RwSignal<std::sync::Arc<Planned>>,
    /// Why what is set has none.
    refusal: RwSignal<Option<Refusal>>,
    /// The bars of a run, where one is named and has any.
    measured: RwSignal<Vec<Bar>>,
    /// The collectives within these, and before them.
    marks: RwSignal<Vec<Mark>>,
    /// All that it told of its steps, for the trace.
    steps: RwSignal<Told>,
    /// What its layers took, where it told enough for that.
    by_run: RwSignal<Option<ByRun>>,
    /// Where the ranks of that run stand, where that is known.
    layout: RwSignal<Option<Layout>>,
    /// What that run's fullest rank held, where it told.
    fullest: RwSignal<Option<MemoryBytes>>,
    /// What that run's rank sent that sent most, where it told.
    sent: RwSignal<Option<Sent>>,
    /// What the last turns of a knob have dropped, as long as nothing stands in its place.
    dropped: RwSignal<Option<String>>,
    /// When the address is written next: not at each pixel of a drag, which browsers refuse after a while.
    writing: StoredValue<Option<TimeoutHandle>>,
}

/// How long nothing may change before the address is written.
const SETTLED: Duration = Duration::from_millis(120);

fn plan(setup: &Setup) -> Result<Planned, Refusal> {
    let (strategy, outlook) = setup.plan()?;
    let bars = bars_of(&strategy, &outlook);
    let mut found = bottleneck(&strategy, &outlook, setup.room().map(Room::Each));
    // What cannot be set is not offered.
    found.remedy = found.remedy.filter(|remedy| setup.proposed(&remedy.change).is_some());
    Ok(Planned { setup: setup.clone(), strategy, outlook, bars, found })
}

impl Studio {
    fn open(asked: &str) -> Option<Self> {
        let setup = Setup::from_query(&plan_query(asked));
        let (planned, refusal) = match plan(&setup) {
            Ok(planned) => (planned, None),
            Err(refusal) => (plan(&Setup::default()).ok()?, Some(refusal)),
        };
        let studio = Self {
            setup: RwSignal::new(setup),
            planned: RwSignal::new(std::sync::Arc::new(planned)),
            refusal: RwSignal::new(refusal),
            measured: RwSignal::new(Vec::new()),
            marks: RwSignal::new(Vec::new()),
            steps: RwSignal::new(Told::default()),
            by_run: RwSignal::new(None),
            layout: RwSignal::new(None),
            fullest: RwSignal::new(None),
            sent: RwSignal::new(None),
            dropped: RwSignal::new(None),
            writing: StoredValue::new(None),
        };
        provide_context(studio);
        let navigate = use_navigate();
        Effect::new(move |before: Option<()>| {
            let setup = studio.setup.get();
            if before.is_none() {
                return;
            }
            if setup.cut != Cut::Time {
                studio.dropped.set(None);
            }
            match plan(&setup) {
                Ok(planned) => {
                    studio.planned.set(std::sync::Arc::new(planned));
                    studio.refusal.set(None);
                }
                Err(refusal) => studio.refusal.set(Some(refusal)),
            }
            if let Some(before) = studio.writing.get_value() {
                before.clear();
            }
            // Through the router, without a new entry in the history: what it does not know it cannot leave, as when “Plan” is clicked.
            let navigate = navigate.clone();
            let write = move || {
                if let Some(address) = plan_address(&setup.to_query()) {
                    navigate(&address, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
                }
            };
            studio.writing.set_value(set_timeout_with_handle(write, SETTLED).ok());
        });
        Some(studio)
    }

    /// Turns a knob, and says what that drops.
    fn turn(self, change: impl FnOnce(&mut Setup)) {
        let before = self.setup.get_untracked();
        self.setup.update(change);
        let told = self.setup.with_untracked(|after| dropped(&before, after));
        if told.is_some() {
            self.dropped.set(told);
        }
    }
}

/// The plan page.
#[component]
pub(crate) fn PlanPage() -> impl IntoView {
    super::titled("Strategy studio".into());
    // The router's, not the browser's, which follows a click on a link only after the page is drawn.
    let search = use_location().search;
    let Some(studio) = Studio::open(&search.get_untracked()) else {
        return view! { <p class="message message-error">"The first picture of the studio cannot be planned."</p> }
            .into_any();
    };
    measured::watch(studio);
    Effect::new(move |before: Option<()>| {
        let asked = Setup::from_query(&search.with(|search| plan_query(search)));
        if before.is_some() && studio.setup.with_untracked(Setup::to_query) != asked.to_query() {
            studio.dropped.set(None);
            studio.setup.set(asked);
        }
    });
    let numbers = Memo::new(move |_| studio.planned.with(|planned| headline(&planned.strategy, &planned.outlook)));
    // What changes is the text: the tiles themselves stay.
    let tile = |(at, one): (usize, Headline)| {
        let text =
            move |of: fn(&Headline) -> &str| numbers.with(|all| all.get(at).map(of).unwrap_or_default().to_owned());
        view! {
            <div class="tile" data-testid=format!("plan-{}", one.id)>
                <Hint word=one.word text=one.help/>
                <span class="tile-value">{move || text(|one| &one.value)}</span>
                <span class="change">{move || text(|one| &one.beside)}</span>
            </div>
        }
    };
    view! {
        <div class="plan-page">
            <div class="statement">
                <h1>"Strategy studio"</h1>
                <p class="lead">"What training on several ranks will do, before anything runs: drag stages, change a knob, and see schedule, idle time and memory change."</p>
            </div>
            <div class="plan-grid">
                <controls::Controls/>
                <section class="card plan-stage" aria-label="Plan" class:stale=move || studio.refusal.with(Option::is_some)>
                    <Refused/>
                    <Verdict/>
                    <div class="tiles">{numbers.get_untracked().into_iter().enumerate().map(tile).collect_view()}</div>
                    <stages::Stages/>
                    <timeline::Timeline/>
                    <ranks::Ranks/>
                    <run::RunThis/>
                    <TakeAway/>
                </section>
            </div>
        </div>
    }
    .into_any()
}

/// Why there is no plan, and the nearest that works.
#[component]
fn Refused() -> impl IntoView {
    let studio = expect_context::<Studio>();
    move || {
        studio.refusal.get().map(|refusal| {
            let fix = studio.setup.with_untracked(|setup| nearest(setup, &refusal));
            view! {
                <div class="message message-error" role="alert" data-testid="plan-refused">
                    <Icon picture=Picture::Warning/>
                    <div>
                        <p>{refusal.to_string()}" The picture shows the last plan that works."</p>
                        {fix.map(|(words, setup)| view! {
                            <button
                                type="button"
                                class="button"
                                data-testid="plan-nearest"
                                on:click=move |_| {
                                    studio.setup.set(setup.clone());
                                    or_main();
                                }
                            >
                                {words}
                            </button>
                        })}
                    </div>
                </div>
            }
        })
    }
}

/// What limits the plan, what to try, and a button that tries it.
#[component]
fn Verdict() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let helped = Memo::new(move |_| studio.planned.with(|planned| planned.found.remedy.is_some()));
    view! {
        <div class="plan-verdict">
            <p data-testid="plan-verdict" aria-live="polite">
                {move || studio.planned.with(|planned| verdict(&planned.found, &planned.strategy, &planned.outlook))}
            </p>
            {move || helped.get().then(|| view! {
                <button
                    type="button"
                    class="button"
                    data-testid="plan-try"
                    on:click=move |_| {
                        let new = studio.planned.with_untracked(|planned| {
                            planned.found.remedy.as_ref().and_then(|remedy| planned.setup.proposed(&remedy.change))
                        });
                        if let Some(new) = new {
                            studio.turn(|setup| *setup = new);
                            or_main();
                        }
                    }
                >
                    "Try it"
                </button>
            })}
        </div>
    }
}

/// The trace and the command.
#[component]
fn TakeAway() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let trace = move |_| {
        let layout = studio.layout.get_untracked();
        let text = studio.planned.with_untracked(|planned| {
            studio
                .steps
                .with_untracked(|told| chrome_trace_of_run(&memory_of(&planned.outlook), &planned.bars, told, layout))
        });
        save("recspeed-plan.trace.json", "application/json", &text);
    };
    let link =
        Memo::new(move |_| studio.planned.with(|planned| command(&planned.setup, &planned.outlook.partition.counts())));
    view! {
        <div class="plan-take">
            <button type="button" class="button" data-testid="plan-trace" on:click=trace>
                <Icon picture=Picture::Download/>
                <span>"Trace for Perfetto"</span>
            </button>
            {move || match link.get() {
                Ok(link) => view! {
                    <CopyField
                        label="The same plan in the terminal"
                        help="The experiment is in the link, with these stages: the same schedule, times and bytes. Tables over data that the page has not read come on top there."
                        link=link
                        test_id="copy-plan-command"
                    />
                }
                .into_any(),
                Err(why) => view! {
                    <p class="note" data-testid="plan-no-command">
                        {format!("There is no command for this plan: {}.", why.trim_end_matches('.'))}
                    </p>
                }
                .into_any(),
            }}
        </div>
    }
}
