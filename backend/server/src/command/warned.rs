//! What runs among others warned of, on standard error: the numbers that such a run is one of do not say it.

use recspeed_types::RunSummary;

use super::output;

/// Says each warning of these runs once, with the names of what ran.
pub(super) fn complain<'a>(runs: impl IntoIterator<Item = (&'a str, &'a RunSummary)>) {
    let warnings = runs.into_iter().flat_map(|(name, run)| run.warnings.iter().map(move |text| (name, text.as_str())));
    for line in lines(warnings) {
        output::complain(&line);
    }
}

/// A line for each warning. The seeds of one recommender may say the same with other numbers: the first counts. Several
/// recommenders that say the same word for word share a line.
fn lines<'a>(warnings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, text) in warnings {
        let by_another_seed = |(other, names): &(&str, Vec<&str>)| {
            names.contains(&name) && without_numbers(other) == without_numbers(text)
        };
        if said.iter().any(by_another_seed) {
            continue;
        }
        match said.iter_mut().find(|(other, _)| *other == text) {
            Some((_, names)) => names.push(name),
            None => said.push((text, vec![name])),
        }
    }
    said.into_iter().map(|(text, names)| format!("recspeed: warning: {}: {text}", names.join(", "))).collect()
}

fn without_numbers(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | ',')).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_warning_is_said_once_for_all_seeds_and_with_every_name_that_it_is_of() {
        let said = lines([
            ("nmf", "its rmse of 1.21 is above 1.13"),
            ("nmf", "its rmse of 1.3 is above 1.13"),
            ("mlp", "12 test rows cannot be found"),
            ("nmf", "12 test rows cannot be found"),
            ("nmf", "12 test rows cannot be found"),
            ("mlp", "its rmse of 1.4 is above 1.13"),
        ]);
        assert_eq!(
            said,
            [
                "recspeed: warning: nmf: its rmse of 1.21 is above 1.13",
                "recspeed: warning: mlp, nmf: 12 test rows cannot be found",
                "recspeed: warning: mlp: its rmse of 1.4 is above 1.13",
            ]
        );
        assert_eq!(lines([]), Vec::<String>::new());
    }
}
