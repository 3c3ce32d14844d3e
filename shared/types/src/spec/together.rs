//! Parameters of a recommender that are each in range and impossible together.

use super::Problems;
use super::recommender::ResolvedRecommender;
use crate::catalogue::{Condition, Whose};

/// Names what does not go together, of every component too.
pub(super) fn check(recommender: &ResolvedRecommender, problems: &mut Problems) {
    recommender.visit("recommender", &mut |at, each| {
        match each.entry.kind {
            "sasrec" | "bert4rec" => heads_divide_factors(at, each, problems),
            "weighted" => some_weight_counts(at, each, problems),
            _ => {}
        }
        made_attributes_are_read(at, each, problems);
    });
}

fn heads_divide_factors(at: &str, recommender: &ResolvedRecommender, problems: &mut Problems) {
    let (factors, heads) = (recommender.integer("factors"), recommender.integer("heads"));
    let divides = |heads: &i64| factors % heads == 0;
    if heads < 1 || divides(&heads) {
        return;
    }
    // 1 always divides, and the factors themselves do.
    let below = (1..heads).rev().find(divides).unwrap_or(1);
    let above = (heads + 1..=factors).find(divides).map_or(String::new(), |above| format!(" or {above}"));
    let message = format!(
        "is {heads}, which does not divide {at}.factors = {factors}; set it to {below}{above}, or the factors to a multiple of it"
    );
    problems.add(format!("{at}.heads"), message);
}

fn some_weight_counts(at: &str, recommender: &ResolvedRecommender, problems: &mut Problems) {
    // Without components something else is wrong with them, which is told.
    if recommender.text("weights") == "given"
        && !recommender.components().is_empty()
        && recommender.components().iter().all(|component| component.float("weight") == 0.0)
    {
        problems.add(format!("{at}.components"), "have no weight above 0; give at least one of them a weight");
    }
}

/// A component must read attributes of the items, and where it names them it must name the one that the hybrid makes for
/// it.
fn made_attributes_are_read(at: &str, recommender: &ResolvedRecommender, problems: &mut Problems) {
    let Some(places) = recommender.entry.param("components") else { return };
    for (index, component) in recommender.components().iter().enumerate() {
        let made = places.kind.slot(index).and_then(|slot| slot.adds);
        let (Some(made), Some(list)) = (made, component.entry.attribute_list(Whose::Items)) else { continue };
        let at = format!("{at}.components[{index}]");
        if let Some(condition) = Condition::of(component.entry.kind, list).filter(|_| !component.reads(list, None)) {
            let read_where = condition.values.join(" or ");
            let message = format!("leaves out `{}`, which {}; set it to {read_where}", made.name, made.holds);
            problems.add(condition.under.path(&at), message);
            continue;
        }
        let named = component.names(list);
        if !named.is_empty() && named.iter().all(|name| name != made.name) {
            let message = format!(
                "name attributes without `{}`, which {}; add it, or name none to use all",
                made.name, made.holds
            );
            problems.add(format!("{at}.{list}"), message);
        }
    }
}
