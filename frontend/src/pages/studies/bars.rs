//! The column of a table that is drawn: bars with the spread of their runs.

use leptos::prelude::*;
use recspeed_types::study::{BarScale, Better, StudyCell, StudyTable, Unit, times_of_best};

use crate::charts::trimmed;

/// Per cent of the width that a character of a scale's numbers takes, and that stays free between two of them, where a track is
/// narrowest: 190 pixels.
const CHARACTER: f64 = 3.4;
const FREE: f64 = 3.0;
/// From here on, in per cent, a number ends at its line instead of lying about it: what is beside the track is not its own.
const LAST: f64 = 90.0;

/// A bar in per cent of the width.
#[derive(Debug, Clone, PartialEq)]
struct Bar {
    name: String,
    /// The number as people read it.
    shown: String,
    /// The number with its spread, for those who listen.
    words: String,
    /// Its end; `None` where there is no number.
    end: Option<f64>,
    /// The smallest and the largest run.
    spread: Option<(f64, f64)>,
    /// Whether no other bar is better.
    best: bool,
}

fn of(table: &StudyTable) -> Vec<Bar> {
    let Some(column) = table.bars else { return Vec::new() };
    let Some(unit) = table.columns.get(column).map(|column| column.unit) else { return Vec::new() };
    let scale = BarScale::of(table);
    let bar = |(at, row): (usize, &recspeed_types::study::StudyRow)| {
        let name = row.name.clone();
        let (Some(StudyCell::Number(number)), Some(scale)) = (row.cells.get(column), scale) else {
            let shown = match row.cells.first() {
                Some(StudyCell::Failed { .. }) => "failed".to_owned(),
                Some(StudyCell::Missing(missing)) => missing.show().to_owned(),
                _ => "no number".to_owned(),
            };
            let words = format!("{name}: {shown}");
            return Bar { name, shown, words, end: None, spread: None, best: false };
        };
        let times = times_of_best(table, at);
        let against = times.map_or_else(String::new, |times| format!(" · {}", Unit::Times.show(times)));
        let shown = format!("{}{against}", number.show(unit));
        let spread = number.spread.filter(|spread| spread.runs > 1 && number.value > 0.0);
        let told =
            spread.map_or_else(String::new, |spread| format!(", {} in {} runs", number.show_spread(unit), spread.runs));
        // A higher number is better in some columns: then the best one is so many times this one.
        let times = times.map_or_else(String::new, |times| {
            let many = Unit::Times.show(times).replace(" ×", "");
            match table.columns.get(column).and_then(|column| column.better) {
                Some(Better::Higher) => format!(", the best is {many} times that"),
                _ => format!(", {many} times the best"),
            }
        });
        let words = format!("{name}: {}{told}{times}", number.show(unit));
        let place = |value: f64| scale.share(value) * 100.0;
        let spread = spread.map(|spread| (place(spread.least), place(spread.most)));
        Bar { name, shown, words, end: Some(place(number.value)), spread, best: times.is_empty() }
    };
    // What the others are held against by their errors has nothing to draw here.
    table.rows.iter().enumerate().filter(|(_, row)| !row.is_reference()).map(bar).collect()
}

/// A power of ten in the unit of a column, as `10 ms`.
fn label(unit: Unit, power: f64) -> String {
    let text = unit.show(power);
    text.split_once(' ').map_or_else(|| trimmed(&text).to_owned(), |(number, unit)| [trimmed(number), unit].join(" "))
}

/// The numbers of a logarithmic scale with their places, in per cent of the width; of every second or third line where more would
/// touch each other, and none of a linear scale.
fn marks(scale: BarScale, unit: Unit) -> Vec<(String, f64)> {
    let all: Vec<(String, f64)> =
        scale.powers().into_iter().map(|power| (label(unit, power), scale.share(power) * 100.0)).collect();
    let apart = |every: &usize| {
        let reach: Vec<(f64, f64)> = all.iter().step_by(*every).map(reach).collect();
        reach.windows(2).all(|pair| pair[0].1 + FREE <= pair[1].0)
    };
    let every = (1..all.len()).find(apart).unwrap_or(all.len().max(1));
    all.into_iter().step_by(every).collect()
}

/// From where to where a number reaches, as the style sheet lays it.
fn reach((text, at): &(String, f64)) -> (f64, f64) {
    let width = text.chars().count() as f64 * CHARACTER;
    let before = match *at {
        at if at <= 0.0 => 0.0,
        at if at > LAST => width,
        _ => width / 2.0,
    };
    (at - before, at - before + width)
}

/// The bars; nothing for a table without.
pub(super) fn bars(table: &StudyTable) -> Option<AnyView> {
    let bars = of(table);
    let scale = BarScale::of(table)?;
    let column = table.columns.get(table.bars?)?;
    let powers = scale.powers();
    let ticks = powers
        .iter()
        .skip(1)
        .fold(String::new(), |ticks, power| format!("{ticks}M{:.2} 0V10", scale.share(*power) * 100.0));
    let logarithmic = powers.first().map(|begin| {
        format!(
            " Logarithmic: bars begin at {}, and each upright line is ten times the one before.",
            column.unit.show(*begin)
        )
    });
    let spread = bars.iter().any(|bar| bar.spread.is_some());
    let of_means = table.rows.iter().any(|row| {
        let cell = table.bars.and_then(|column| row.cells.get(column));
        matches!(cell, Some(StudyCell::Number(number)) if number.spread.is_some_and(|spread| spread.deviation.is_some()))
    });
    let rows = bars.into_iter().map(|bar| {
        let Bar { name, shown, words, end, spread, best } = bar;
        let spread = spread.map(|(least, most)| format!("M{least:.2} 5H{most:.2}M{least:.2} 2V8M{most:.2} 2V8"));
        view! {
            <li class="bar" class:bar-best=best class:bar-none=end.is_none()>
                <span class="bar-name" title=name.clone()>{name.clone()}</span>
                <svg class="bar-track" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=words>
                    <rect class="bar-rail" x="0" y="0" width="100" height="10"></rect>
                    {end.map(|end| view! { <rect class="bar-fill" x="0" y="0" width=end.max(0.3) height="10"></rect> })}
                    <path class="bar-ticks" d=ticks.clone()></path>
                    {spread.map(|path| view! { <path class="bar-spread" d=path></path> })}
                </svg>
                <span class="bar-value">{shown}</span>
            </li>
        }
    });
    let rows = rows.collect_view();
    let mark = |(text, at): (String, f64)| {
        let last = at > LAST;
        view! { <span class:bar-scale-end=last style:left=format!("{at:.2}%")>{text}</span> }.into_any()
    };
    let marks: Vec<AnyView> = marks(scale, column.unit).into_iter().map(mark).collect();
    // Each bar is told with its own number: those who listen need no axis.
    let axis = (!marks.is_empty()).then(|| {
        view! { <li class="bar" aria-hidden="true"><span class="bar-scale">{marks}</span></li> }
    });
    let note = match (spread, of_means) {
        (true, true) => ". The thin line goes from the smallest run to the largest; the bar ends at the mean.",
        (true, false) => ". The thin line goes from the smallest run to the largest; the bar ends at the median.",
        (false, _) => ".",
    };
    let drawn = view! {
        <figure class="bars study-bars" data-testid="study-bars">
            <ul>{rows}{axis}</ul>
            <figcaption class="note">{crate::charts::capital(&column.name)}{note}{logarithmic}</figcaption>
        </figure>
    };
    Some(drawn.into_any())
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{Missing, StudyColumn, StudyRow, Whose};

    use super::*;

    fn marks_of(unit: Unit, least: f64, most: f64) -> Vec<(String, f64)> {
        let row = |value: f64| StudyRow {
            name: "one".to_owned(),
            note: String::new(),
            cells: vec![StudyCell::runs(&[value])],
        };
        let table = StudyTable {
            title: String::new(),
            whose: Whose::Measured,
            rows_are: "engine".to_owned(),
            columns: vec![StudyColumn::lower("training", unit)],
            rows: vec![row(least), row(most)],
            bars: Some(0),
        };
        marks(BarScale::of(&table).expect("a scale"), unit)
    }

    #[test]
    fn the_lines_of_a_logarithmic_scale_have_the_numbers_that_have_room_and_others_have_none() {
        let texts = |marks: Vec<(String, f64)>| marks.into_iter().map(|(text, _)| text).collect::<Vec<_>>();
        assert_eq!(texts(marks_of(Unit::Seconds, 0.004, 2.0)), ["1 ms", "10 ms", "100 ms", "1 s"]);
        assert_eq!(texts(marks_of(Unit::Plain, 0.3, 40.0)), ["0.1", "1", "10"]);
        assert_eq!(texts(marks_of(Unit::Seconds, 1.0, 5.0)), [""; 0]);
        for unit in [Unit::Seconds, Unit::Bytes, Unit::Count, Unit::Plain] {
            for decades in 2..14 {
                let marks = marks_of(unit, 2e-7, 2e-7 * 10_f64.powi(decades));
                let reach: Vec<(f64, f64)> = marks.iter().map(reach).collect();
                assert!(reach.windows(2).all(|pair| pair[0].1 < pair[1].0), "{unit:?} {decades}: {marks:?}");
                assert_eq!(marks.first().map(|mark| mark.1), Some(0.0), "{unit:?} {decades}");
                assert!(marks.len() > 1, "{unit:?} {decades}: {marks:?}");
            }
        }
    }

    #[test]
    fn a_bar_ends_at_the_median_its_line_at_the_runs_and_what_is_missing_has_none() {
        let row = |name: &str, values: &[f64]| StudyRow {
            name: name.to_owned(),
            note: String::new(),
            cells: vec![StudyCell::runs(values)],
        };
        let table = StudyTable {
            title: String::new(),
            whose: Whose::Measured,
            rows_are: "engine".to_owned(),
            columns: vec![StudyColumn::lower("training", Unit::Seconds)],
            rows: vec![row("ours", &[0.9, 1.0, 1.1]), row("theirs", &[3.0, 4.0, 5.0]), row("missing", &[])],
            bars: Some(0),
        };
        let bars = of(&table);
        assert_eq!((bars[0].end, bars[0].best), (Some(20.0), true));
        assert_eq!((bars[1].end, bars[1].spread), (Some(80.0), Some((60.0, 100.0))));
        assert_eq!(bars[1].words, "theirs: 4.00 s, 3.00 s to 5.00 s in 3 runs, 4.0 times the best");
        assert_eq!((bars[2].end, bars[2].words.as_str()), (None, "missing: no number"));
        let mut beside = table.clone();
        beside.rows.push(StudyRow::one_number(&[], 1));
        assert_eq!(of(&beside), bars, "one number for everybody was not trained: it has no bar");
        let mut without = table.clone();
        without.rows[2].cells[0] = StudyCell::Missing(Missing::no_gpu());
        without.rows[1].cells[0] = StudyCell::Failed { cause: "It crashed.".to_owned() };
        let shown: Vec<String> = of(&without).into_iter().skip(1).map(|bar| bar.shown).collect();
        assert_eq!(shown, ["failed", "no GPU here"]);
        // A row that is 50 times as slow leaves the other a bar: the scale has three decades and begins at one second.
        without.rows[1].cells[0] = StudyCell::runs(&[400.0, 500.0, 1000.0]);
        without.rows[0].cells[0] = StudyCell::runs(&[10.0, 10.0, 100.0]);
        let far = of(&without);
        assert_eq!(far[0].end.map(f64::round), Some(33.0));
        assert_eq!(far[0].spread.map(|(least, most)| (least.round(), most.round())), Some((33.0, 67.0)));
        assert_eq!(far[1].end.map(f64::round), Some(90.0));
        assert_eq!(far[1].words, "theirs: 8 min 20 s, 6 min 40 s to 16 min 40 s in 3 runs, 50.0 times the best");
        assert_eq!(of(&StudyTable { bars: None, ..table }), []);
    }
}
