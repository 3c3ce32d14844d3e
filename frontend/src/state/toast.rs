//! Short messages at the edge of the page, some with a way back.

use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;

/// What happens after a message. It outlives the component that says it, so it is no [`Callback`].
pub(crate) type Then = Arc<dyn Fn() + Send + Sync>;

/// A short message.
#[derive(Clone)]
pub(crate) struct Toast {
    /// Tells it from the others.
    pub id: u32,
    /// What happened.
    pub text: String,
    /// What undoes it.
    pub undo: Option<Then>,
}

/// The messages on show.
#[derive(Clone, Copy)]
pub(crate) struct Toasts {
    list: RwSignal<Vec<Toast>>,
    next: StoredValue<u32>,
}

/// How long a message stays. An undo stays longer: reading, deciding and aiming take time.
const STAYS: Duration = Duration::from_secs(5);
const UNDO_STAYS: Duration = Duration::from_secs(8);

impl Toasts {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { list: RwSignal::new(Vec::new()), next: StoredValue::new(0) }
    }

    /// The messages on show.
    pub(crate) fn list(self) -> Vec<Toast> {
        self.list.get()
    }

    /// Says something.
    pub(crate) fn say(self, text: impl Into<String>) {
        let id = self.add(text.into(), None);
        set_timeout(
            move || {
                self.dismiss(id);
            },
            STAYS,
        );
    }

    /// Says something until it is dismissed, by the reader or by the number that this gives.
    pub(crate) fn stay(self, text: &str) -> u32 {
        self.add(text.to_owned(), None)
    }

    /// Says something that can be undone; `then` happens when the time for that is over, unless it was undone.
    pub(crate) fn undoable(self, text: impl Into<String>, undo: Then, then: Then) {
        let id = self.add(text.into(), Some(undo));
        set_timeout(
            move || {
                if self.dismiss(id) {
                    then();
                }
            },
            UNDO_STAYS,
        );
    }

    /// Takes a message away; whether it was still there.
    pub(crate) fn dismiss(self, id: u32) -> bool {
        let there = self.list.with_untracked(|list| list.iter().any(|toast| toast.id == id));
        if there {
            self.list.update(|list| list.retain(|toast| toast.id != id));
        }
        there
    }

    fn add(self, text: String, undo: Option<Then>) -> u32 {
        let id = self.next.get_value();
        self.next.set_value(id.wrapping_add(1));
        self.list.update(|list| list.push(Toast { id, text, undo }));
        id
    }
}
