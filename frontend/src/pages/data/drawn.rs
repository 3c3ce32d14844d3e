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

/// Shares of the users or items whose rows are told in numbers.
const TOLD: [(f64, &str); 4] = [(0.01, "1 %"), (0.1, "10 %"), (0.2, "20 %"), (0.5, "50 %")];

/// What the most frequent of a share hold, in words.
fn held(tail: &[(f64, f64)], wanted: f64) -> String {
    tail.iter().find(|(at, _)| (at - wanted).abs() < 1e-9).map_or_else(|| "–".to_owned(), |(_, rows)| share(*rows))
}

/// The numbers of both axes: shares of the users or items to the right, of the rows upwards.
fn numbers() -> AnyView {
    let numbers = [0.0, 50.0, 100.0].map(|at: f64| {
        let (text, up) = (format!("{at} %"), 101.5 - at);
        view! {
            <text x="-3" y=up text-anchor="end">{text.clone()}</text>
            <text x=at y="109" text-anchor="middle">{text}</text>
        }
    });
    numbers.collect_view().into_any()
}

/// What the most active users and the most popular items hold.
pub(super) fn tails(users: &[(f64, f64)], items: &[(f64, f64)]) -> AnyView {
    let words = format!(
        "The first tenth of the items holds {} of the rows, the first tenth of the users {}.",
        held(items, 0.1),
        held(users, 0.1)
    );
    let rows = TOLD.map(|(part, name)| {
        view! {
            <tr>
                <th scope="row">{name}</th>
                <td class="number">{held(items, part)}</td>
                <td class="number">{held(users, part)}</td>
            </tr>
        }
    });
    view! {
        <section class="data-part">
            <h3>"Long tails"</h3>
            <div class="data-tails">
                <svg class="data-tail" viewBox="-18 -4 128 116" role="img" aria-label=words>
                    {numbers()}
                    <path class="tail-axes" d="M0 0V100H100"></path>
                    <path class="tail-even" d="M0 100L100 0"></path>
                    <polyline class="tail-users" points=corners(users)></polyline>
                    <polyline class="tail-items" points=corners(items)></polyline>
                </svg>
                <div>
                    <table class="table" data-testid="data-tails">
                        <thead><tr>
                            <th scope="col">"the first"</th>
                            <th scope="col" class="number tail-key-items">"items hold"</th>
                            <th scope="col" class="number tail-key-users">"users hold"</th>
                        </tr></thead>
                        <tbody>{rows.collect_view()}</tbody>
                    </table>
                    <p class="note">"To the right: everybody, the most frequent first. Upwards: the rows that they hold."</p>
                </div>
            </div>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_is_not_told_has_a_dash() {
        assert_eq!((held(&[(0.1, 0.5)], 0.1), held(&[(0.1, 0.5)], 0.01)), ("50 %".to_owned(), "–".to_owned()));
    }

    #[test]
    fn a_tail_goes_from_nothing_to_everybody() {
        assert_eq!(corners(&[(0.1, 0.5), (1.0, 1.0)]), "0.00,100.00 10.00,50.00 100.00,0.00");
    }
}
