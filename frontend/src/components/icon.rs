//! The page's pictures: one size, one stroke, drawn in the colour of the text around them.

use leptos::prelude::*;

/// Which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    /// A triangle: start.
    Play,
    /// A square: stop.
    Stop,
    /// Stacked boxes: the server.
    Server,
    /// Two linked dots: share.
    Share,
    /// A branch: fork.
    Fork,
    /// A round arrow: again.
    Retry,
    /// An arrow into a tray.
    Download,
    /// A bin.
    Bin,
    /// Two sheets.
    Copy,
    /// A tick.
    Check,
    /// A cross.
    Cross,
    /// An exclamation mark in a triangle.
    Warning,
    /// A clock.
    Clock,
    /// A dot in a ring: at work.
    Busy,
    /// A sun.
    Sun,
    /// A moon.
    Moon,
    /// Half light, half dark.
    System,
    /// A question mark.
    Help,
    /// A looking glass.
    Search,
    /// A circle with a stroke through it.
    Cancelled,
}

impl Picture {
    const fn path(self) -> &'static str {
        match self {
            Self::Play => "M5 3.5v9l7.5-4.5z",
            Self::Stop => "M4 4h8v8H4z",
            Self::Server => "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
            Self::Share => "M8 10V2.5M5 5l3-3 3 3M3 8.5V13h10V8.5",
            Self::Fork => {
                "M4.5 5.5v5M4.5 2.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM4.5 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM11.5 2.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM11.5 5.5c0 3-7 2-7 5"
            }
            Self::Retry => "M13 8a5 5 0 1 1-1.6-3.7M13 2.5V5h-2.5",
            Self::Download => "M8 2.5V10M5 7.5l3 3 3-3M3 13h10",
            Self::Bin => "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9M7 7v4M9 7v4",
            Self::Copy => "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
            Self::Check => "M3 8.5l3.5 3.5L13 4.5",
            Self::Cross => "M4 4l8 8M12 4l-8 8",
            Self::Warning => "M8 2.5l6 11H2zM8 6.5v3.5M8 12h.01",
            Self::Clock => "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3l2 1.5",
            Self::Busy => "M8 2.5a5.5 5.5 0 1 1-5.5 5.5M8 6.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3z",
            Self::Sun => {
                "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1"
            }
            Self::Moon => "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
            Self::System => "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 2.5v11M8 5l4 1M8 8h5.4M8 11l4-1",
            Self::Help => {
                "M6 6a2 2 0 1 1 2.8 1.8c-.6.3-.8.7-.8 1.4M8 12h.01M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13z"
            }
            Self::Search => "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.2 10.2l3.3 3.3",
            Self::Cancelled => "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM4.2 4.2l7.6 7.6",
        }
    }
}

/// A picture beside a text that says the same, so it is hidden from screen readers.
#[component]
pub(crate) fn Icon(
    /// Which.
    #[prop(into)]
    picture: Signal<Picture>,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d=move || picture.get().path()></path>
        </svg>
    }
}
