//! The lab: turn a knob, run, see.

mod actions;
mod advanced;
mod knobs;
mod others;
mod sentence;
mod stage;

use leptos::prelude::*;

use crate::components::{Icon, OwnFile, Picture, SpecEditor};
use crate::state::{read_location, use_lab};

/// The lab page.
#[component]
pub(crate) fn LabPage() -> impl IntoView {
    let lab = use_lab();
    // The router brings the reader back here without a new page load.
    read_location(lab);
    super::called("Recspeed: a lab for recommender systems".into());
    view! {
        <div class="lab">
            <div class="statement">
                <h1 data-testid="sentence">{move || lab.draft.with(|draft| sentence::of(draft.spec(), &lab.dataset_title(draft.spec())))}</h1>
                <p class="lead">"Recspeed is a lab for recommender systems: turn a knob, press Run, and watch the method learn, in this tab or on a server of your own."</p>
            </div>
            {move || lab.link_error.get().map(|text| view! {
                <div class="message message-error lab-message" role="alert" data-testid="link-error">
                    <Icon picture=Picture::Warning/>
                    <div><p>{text}</p><p class="note">"The page shows its own example instead."</p></div>
                </div>
            })}
            <div class="lab-grid">
                <div class="lab-controls">
                    <section class="card controls" aria-label="Experiment">
                        <knobs::Knobs/>
                        <actions::Actions/>
                    </section>
                    <advanced::Advanced/>
                </div>
                <stage::Stage/>
                <Show when=move || !lab.embedded><SpecEditor/></Show>
            </div>
            <OwnFile/>
        </div>
    }
}
