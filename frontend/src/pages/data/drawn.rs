//! Histograms and the long tail as plain SVG: numbers in, pictures with the same numbers in words out.

use leptos::prelude::*;

use crate::charts::{count, share};

/// Horizontal bars with their names and counts.
pub(super) fn bars(title: &str, rows: &[(String, u64)]) -> AnyView {
    let most = rows.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1) as f64;
    let all = rows.iter().map(|(_, n)| *n).sum::<u64>().max(1) as f64;
    let bars: Vec<AnyView> = rows
        .iter()
        .map(|(name, n)| {
            let width = format!("{:.2}", *n as f64 / most * 100.0);
            view! {
                <li class="bar">
                    <span class="bar-name">{name.clone()}</span>
                    <svg class="bar-track" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                        <rect class="bar-rail" width="100" height="10"></rect>
                        <rect class="bar-fill" width=width height="10"></rect>
                    </svg>
                    <span class="bar-value">{count(*n)}<small>{share(*n as f64 / all)}</small></span>
                </li>
            }
            .into_any()
        })
        .collect();
    view! { <section class="data-part"><h3>{title.to_owned()}</h3><div class="bars"><ul>{bars}</ul></div></section> }
        .into_any()
}

/// Columns over time: one for each month, from the first to the last.
pub(super) fn columns(title: &str, months: &[(String, u64)]) -> Option<AnyView> {
    let (first, last) = (months.first()?, months.last()?);
    let most = months.iter().max_by_key(|(_, n)| *n)?;
    let width = 600.0 / months.len() as f64;
    let columns: Vec<AnyView> = months
        .iter()
        .enumerate()
        .map(|(place, (_, n))| {
            let height = *n as f64 / most.1.max(1) as f64 * 120.0;
            let (x, y) = (format!("{:.2}", place as f64 * width), format!("{:.2}", 120.0 - height));
            view! { <rect x=x y=y width=format!("{:.2}", width * 0.86) height=format!("{height:.2}")></rect> }
                .into_any()
        })
        .collect();
    let words = format!("From {} to {}; the most in {}: {} rows.", first.0, last.0, most.0, count(most.1));
    Some(
        view! {
            <section class="data-part data-wide">
                <h3>{title.to_owned()}</h3>
                <svg class="data-columns" viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label=words.clone()>{columns}</svg>
                <p class="note">{words}</p>
            </section>
        }
        .into_any(),
    )
}

/// The corner points of a long tail's curve in a box of 100 × 100, from nothing to everybody.
fn corners(tail: &[(f64, f64)]) -> String {
    let inner = tail.iter().copied().filter(|(share, _)| *share > 0.0 && *share < 1.0);
    let all = std::iter::once((0.0, 0.0)).chain(inner).chain(std::iter::once((1.0, 1.0)));
    all.map(|(x, y)| format!("{:.2},{:.2}", x * 100.0, 100.0 - y * 100.0)).collect::<Vec<_>>().join(" ")
}

/// What the most active users and the most popular items hold.
pub(super) fn tails(users: &[(f64, f64)], items: &[(f64, f64)]) -> AnyView {
    let held = |tail: &[(f64, f64)], wanted: f64| {
        tail.iter().find(|(at, _)| (at - wanted).abs() < 1e-9).map_or_else(|| "–".to_owned(), |(_, rows)| share(*rows))
    };
    let words = format!(
        "The first tenth of the items holds {} of the rows, the first tenth of the users {}.",
        held(items, 0.1),
        held(users, 0.1)
    );
    view! {
        <section class="data-part">
            <h3>"Long tails"</h3>
            <svg class="data-tail" viewBox="0 0 100 100" role="img" aria-label=words.clone()>
                <path class="tail-even" d="M0 100L100 0"></path>
                <polyline class="tail-users" points=corners(users)></polyline>
                <polyline class="tail-items" points=corners(items)></polyline>
            </svg>
            <p class="tail-legend"><span class="tail-key-items">"items"</span><span class="tail-key-users">"users"</span></p>
            <p class="note">{words}" To the right: everybody, the most frequent first. Upwards: the rows that they hold."</p>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_goes_from_nothing_to_everybody() {
        assert_eq!(corners(&[(0.1, 0.5), (1.0, 1.0)]), "0.00,100.00 10.00,50.00 100.00,0.00");
    }
}
