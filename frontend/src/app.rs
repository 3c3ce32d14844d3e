//! The frame around every screen.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

use crate::components::{Announced, Arrival, Header, Shortcuts, ToastList};
use crate::pages::{
    ComparePage, DataPage, LabPage, NotFound, PlanPage, RecommendersPage, RunPage, RunsPage, StudiesPage, StudyPage,
};
use crate::state::Lab;

/// The page.
#[component]
pub(crate) fn App() -> impl IntoView {
    let lab = Lab::open();
    provide_context(lab);
    provide_context(Arrival::new());
    let help = RwSignal::new(false);
    // What `index.html` shows until this is here.
    if let Some(skeleton) = document().get_element_by_id("skeleton") {
        skeleton.remove();
    }
    view! {
        <Router>
            <div class="page" class:embedded=lab.embedded data-ready="true">
                <a class="skip" href="#main">"Skip to the content"</a>
                <Show when=move || !lab.embedded><Header help=help/></Show>
                <main id="main" tabindex="-1">
                    <Routes fallback=NotFound>
                        <Route path=path!("/") view=LabPage/>
                        <Route path=path!("/runs") view=RunsPage/>
                        <Route path=path!("/plan") view=PlanPage/>
                        <Route path=path!("/r/:id") view=RunPage/>
                        <Route path=path!("/c/:runs?") view=ComparePage/>
                        <Route path=path!("/data/:id?") view=DataPage/>
                        <Route path=path!("/recommenders") view=RecommendersPage/>
                        <Route path=path!("/studies") view=StudiesPage/>
                        <Route path=path!("/studies/:name") view=StudyPage/>
                    </Routes>
                </main>
                <Announced/>
                <ToastList/>
                <Shortcuts open=help/>
            </div>
        </Router>
    }
}
