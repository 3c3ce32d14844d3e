//! What of a recommender ranks can divide: its layers, the numbers of each, its tables.

use super::recommender::ResolvedRecommender;

/// Recommenders that are rows of layers, with the number of their layers.
pub(super) fn layers(recommender: &ResolvedRecommender) -> Option<u32> {
    match recommender.entry.kind {
        "mlp" => Some(recommender.integers("hidden").len() as u32 + 1),
        "densenet" => Some(recommender.integer("layers") as u32 + 1),
        // Each tower ends in a layer of its own.
        "dlrm" => Some((recommender.integers("bottom").len() + recommender.integers("hidden").len()) as u32 + 2),
        // The positions, the blocks, and the norm of what is asked for.
        "sasrec" => Some(recommender.integer("blocks") as u32 + 2),
        _ => None,
    }
}

/// The fewest columns that a table of a recommender has; `None` without tables.
pub(super) fn narrowest_table(recommender: &ResolvedRecommender) -> Option<u32> {
    match recommender.entry.kind {
        "dlrm" => Some(recommender.integer("embedding").max(1) as u32),
        "sasrec" => Some(recommender.integer("factors").max(1) as u32),
        _ => None,
    }
}

/// Inputs of the four-layer network, which its only layer shares where there is no hidden one.
const INPUTS: u32 = 3;

/// The most ranks that can share the layers: the fewest numbers of what is shared. Of `densenet` that is what each layer makes, of `mlp`
/// every second hidden width, and the input of a layer that is left over. `None` for recommenders whose layers cannot be shared.
pub(super) fn widest_share(recommender: &ResolvedRecommender) -> Option<u32> {
    match recommender.entry.kind {
        "densenet" => return Some(recommender.integer("growth").max(1) as u32),
        "mlp" => {}
        _ => return None,
    }
    let hidden: Vec<u32> = recommender.integers("hidden").iter().map(|&width| width.max(1) as u32).collect();
    let left_over = if hidden.len().is_multiple_of(2) { hidden.last().or(Some(&INPUTS)) } else { None };
    hidden.iter().step_by(2).chain(left_over).min().copied()
}

/// What to set where fewer than were asked for can be had.
pub(super) fn at_most(most: u32) -> String {
    if most == 1 { "1".to_owned() } else { format!("{most} or fewer") }
}
