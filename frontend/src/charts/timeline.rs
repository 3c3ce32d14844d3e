//! The timeline and the memory of a plan on a canvas: thousands of bars at once, so no element for each. Draws only; where
//! everything lies is `studio::Frame`'s.

use leptos::prelude::{document, window};
use recspeed_plan::timeline::{Bar, Mark, Part, Stacked};
use wasm_bindgen::JsCast as _;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use crate::studio::{Band, Frame, Lane, Rect, steps_of, strips, tick_labels, ticks};

/// What is drawn.
pub(crate) struct Scene<'a> {
    /// The measures.
    pub frame: &'a Frame,
    /// The plan's bars.
    pub predicted: &'a [Bar],
    /// A run's bars; empty without one.
    pub measured: &'a [Bar],
    /// The collectives within them.
    pub marks: &'a [Mark],
    /// What each rank holds.
    pub held: &'a [Stacked],
    /// Bytes of each rank, where they are set.
    pub room: Option<u64>,
}

/// Numbers are drawn in this size, and only where they fit.
const FONT: &str = "500 11px Inter, system-ui, sans-serif";
const DIGIT: f64 = 6.8;
/// Stripes of a pass that is computed again: as far apart, so wide. Whole pixels, like all that is drawn.
const STRIPES: (f64, f64) = (6.0, 2.0);

/// Draws the scene into `canvas`, which takes the frame's size.
pub(crate) fn paint(canvas: &HtmlCanvasElement, scene: &Scene) {
    let frame = scene.frame;
    let sharp = window().device_pixel_ratio().clamp(1.0, 2.0);
    let (width, height) = ((frame.width * sharp) as u32, (frame.height() * sharp) as u32);
    if canvas.width() != width || canvas.height() != height {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let Ok(Some(context)) = canvas.get_context("2d") else { return };
    let context: CanvasRenderingContext2d = context.unchecked_into();
    let root = document().document_element();
    let style = root.and_then(|root| window().get_computed_style(&root).ok().flatten());
    let colour = |name: &str| {
        let value = style.as_ref().and_then(|style| style.get_property_value(name).ok()).unwrap_or_default();
        value.trim().to_owned()
    };
    // Refused only for numbers that are not finite.
    let _ = context.set_transform(sharp, 0.0, 0.0, sharp, 0.0, 0.0);
    context.clear_rect(0.0, 0.0, frame.width, frame.height());
    context.set_font(FONT);
    context.set_text_align("center");
    context.set_text_baseline("middle");
    let pen = Pen { context, colour: &colour, sharp };
    pen.axis(frame);
    for (lane, bars, ranks) in
        [(Lane::Predicted, scene.predicted, frame.ranks), (Lane::Measured, scene.measured, frame.measured)]
    {
        pen.fill("--span-idle");
        for rank in 0..ranks {
            let (y, h) = frame.row(lane, rank);
            pen.rect(Rect { x: 0.0, y, w: frame.width, h });
        }
        for part in Part::ALL {
            pen.bars(frame, lane, bars, part);
        }
    }
    pen.strips(frame, scene.marks);
    pen.memory(scene);
}

struct Pen<'a> {
    context: CanvasRenderingContext2d,
    colour: &'a dyn Fn(&str) -> String,
    /// Pixels of the screen to a pixel of the page.
    sharp: f64,
}

impl Pen<'_> {
    fn fill(&self, name: &str) {
        self.context.set_fill_style_str(&(self.colour)(name));
    }

    /// On whole pixels of the screen: sharp edges, and several times as fast as edges that must be blended. Never too narrow to see.
    fn rect(&self, rect: Rect) {
        let whole = |at: f64| (at * self.sharp).round() / self.sharp;
        let (x, y) = (whole(rect.x), whole(rect.y));
        let (w, h) = (whole(rect.x + rect.w) - x, whole(rect.y + rect.h) - y);
        if h > 0.0 {
            self.context.fill_rect(x, y, w.max(1.0 / self.sharp), h);
        }
    }

    /// All bars of one part: one colour after the other is much faster than bar by bar.
    fn bars(&self, frame: &Frame, lane: Lane, bars: &[Bar], part: Part) {
        let own = || bars.iter().filter(|bar| bar.part == part);
        if own().next().is_none() {
            return;
        }
        self.fill(&format!("--span-{}", part.as_str()));
        for bar in own() {
            self.rect(frame.rect(lane, bar));
        }
        self.fill(&format!("--span-{}-ink", part.as_str()));
        match part {
            Part::Again => {
                for rect in own().map(|bar| frame.rect(lane, bar)) {
                    let mut x = rect.x + 1.0;
                    while x + STRIPES.1 <= rect.x + rect.w {
                        self.rect(Rect { x, w: STRIPES.1, ..rect });
                        x += STRIPES.0;
                    }
                }
                return;
            }
            Part::Weight => {
                for rect in own().map(|bar| frame.rect(lane, bar)) {
                    self.rect(Rect { y: rect.y + rect.h - 3.0, h: 2.0, w: rect.w, ..rect });
                }
            }
            _ => {}
        }
        for rect in own().filter(|bar| bar.chunk % 2 == 1).map(|bar| frame.rect(lane, bar)) {
            self.rect(Rect { h: 2.0, ..rect });
        }
        for bar in own() {
            let rect = frame.rect(lane, bar);
            let Some(number) = bar.micro_batch else { continue };
            let digits = if number >= 100 {
                3.0
            } else if number >= 10 {
                2.0
            } else {
                1.0
            };
            if rect.w > digits * DIGIT + 3.0 {
                // Refused only for numbers that are not finite.
                let _ = self.context.fill_text(&number.to_string(), rect.x + rect.w / 2.0, rect.y + rect.h / 2.0 + 0.5);
            }
        }
    }

    /// Collectives, at the feet of the bars of a run.
    fn strips(&self, frame: &Frame, marks: &[Mark]) {
        let strips = strips(frame, marks);
        self.fill("--span-idle");
        for strip in &strips {
            self.rect(strip.ground);
        }
        self.fill("--span-exchange");
        for strip in &strips {
            self.rect(strip.mark);
        }
    }

    fn axis(&self, frame: &Frame) {
        let y = frame.groups()[1];
        let ticks = ticks(frame.total_us, (frame.width / 110.0) as usize);
        self.fill("--chart-grid");
        for at in &ticks {
            self.rect(Rect { x: frame.x(*at), y: 0.0, w: 1.0, h: frame.height() });
        }
        self.fill("--chart-ink");
        for (at, label) in ticks.iter().zip(tick_labels(&ticks)) {
            let x = frame.x(*at);
            let align = if x < 24.0 {
                "left"
            } else if x > frame.width - 30.0 {
                "right"
            } else {
                "center"
            };
            self.context.set_text_align(align);
            // Refused only for numbers that are not finite.
            let _ = self.context.fill_text(&label, x, y + 11.0);
        }
        self.context.set_text_align("center");
    }

    fn memory(&self, scene: &Scene) {
        let frame = scene.frame;
        let peak = scene.held.iter().map(Stacked::peak).max().unwrap_or(0).max(1);
        let room = scene.room.filter(|room| *room <= 2 * peak);
        let scale = room.map_or(peak, |room| room.max(peak)) as f64;
        let columns = (frame.width / 2.0) as usize;
        let mut below: Vec<u64> = vec![0; scene.held.len()];
        self.fill("--span-idle");
        for rank in 0..scene.held.len() {
            let (y, h) = frame.held_row(rank);
            self.rect(Rect { x: 0.0, y, w: frame.width, h });
        }
        for (index, band) in Band::ALL.into_iter().enumerate() {
            self.fill(&format!("--band-{}", band.as_str()));
            for (rank, held) in scene.held.iter().enumerate() {
                let (y, h) = frame.held_row(rank);
                let place = |bytes: u64| bytes as f64 / scale * h;
                let steps = match held.stays.get(index) {
                    Some(stays) => vec![(0.0, frame.total_us, *stays)],
                    None => steps_of(held, frame.total_us, columns, (scale / (h * self.sharp)) as u64),
                };
                for (from, to, bytes) in steps {
                    let (x, end) = (frame.x(from), frame.x(to));
                    let top = y + h - place(below[rank] + bytes);
                    self.rect(Rect { x, y: top, w: end - x, h: place(bytes) });
                }
                below[rank] += held.stays.get(index).copied().unwrap_or(0);
            }
        }
        let Some(room) = room else { return };
        self.fill("--bad");
        for rank in 0..scene.held.len() {
            let (y, h) = frame.held_row(rank);
            let at = y + h - room as f64 / scale * h;
            let mut x = 0.0;
            while x < frame.width {
                self.rect(Rect { x, y: at - 0.75, w: 6.0, h: 1.5 });
                x += 10.0;
            }
        }
    }
}
