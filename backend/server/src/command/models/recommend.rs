//! `recspeed recommend`: what a trained model recommends, and why.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::limits::MAX_K;
use recspeed_types::recommend::{BasketEntry, DEFAULT_K, NOTHING_KNOWN, RecommendRequest, Recommendations, ScoreUnit};

use super::{ModelCommandError, WhichModel, ask, folder};
use crate::command::failure::CommandError;
use crate::command::figures::{counted, value};
use crate::command::{output, run};

/// Arguments of `recspeed recommend`.
#[derive(Debug, Args)]
pub struct RecommendArgs {
    #[command(flatten)]
    which: WhichModel,
    /// Id of a user of the data set (or else --basket)
    #[arg(long, value_name = "ID", conflicts_with = "basket")]
    user: Option<String>,
    /// What somebody has who came after the training: items, each with a rating where there is one, as a,b:4,c
    #[arg(long, value_name = "ITEMS", value_delimiter = ',')]
    basket: Vec<String>,
    /// Items wanted
    #[arg(short, long, default_value_t = DEFAULT_K, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_K)))]
    k: u32,
    /// Say why each item is recommended, where the method can
    #[arg(long)]
    explain: bool,
    /// Also recommend what the user, or the basket, has already
    #[arg(long)]
    include_seen: bool,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
    /// The worker to use (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
    /// The lab's folder (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
}

/// Asks and prints.
pub(crate) fn recommend(args: RecommendArgs) -> Result<u8, CommandError> {
    let refused = |failure| ModelCommandError::Refused(Box::new(failure));
    let basket = if args.basket.is_empty() {
        Vec::new()
    } else {
        BasketEntry::list(args.basket.iter().map(String::as_str)).map_err(refused)?
    };
    let request = RecommendRequest {
        user: args.user,
        basket,
        k: args.k,
        explain: args.explain,
        include_seen: args.include_seen,
        // Whoever reads the model's folder is told all of it.
        withhold_rows: false,
    };
    request.check().map_err(refused)?;
    if let Some(words) = empty_places(&args.basket) {
        output::complain(&format!("recspeed: warning: {words}"));
    }
    let folder = folder(&args.which, args.home.as_ref())?;
    // The manifest first: a folder that is no model is told without starting anything.
    recspeed_models::manifest(&folder).map_err(ModelCommandError::from)?;
    let worker = run::find_worker(args.worker.as_deref()).map_err(ModelCommandError::from)?;
    let answer = ask::ask(&worker, &folder, &request)?;
    let text =
        if args.json { serde_json::to_string(&answer).map_err(io::Error::other)? } else { render(&request, &answer) };
    output::say(&output::printable(&text))?;
    Ok(0)
}

/// What to say of a basket where nothing stands between two commas: an id may have been lost there. `None` where each
/// place has one.
fn empty_places(basket: &[String]) -> Option<String> {
    let empty = basket.iter().filter(|text| text.trim().is_empty()).count() as u64;
    let is_empty =
        counted(empty, "place of the basket is empty and counts", "places of the basket are empty and count");
    (empty > 0).then(|| format!("{is_empty} for nothing; what stands between two commas is an item."))
}

fn render(request: &RecommendRequest, answer: &Recommendations) -> String {
    let whom = request.user.as_ref().map_or_else(
        || counted(request.basket_items() as u64, "item in the basket", "items in the basket"),
        |user| format!("user {user}"),
    );
    let mut text = format!("Recommended to {whom}\n\n");
    if answer.items.is_empty() {
        text.push_str("Nothing is left to recommend: every item that could be is known already.\n");
    } else {
        let unit = match answer.unit {
            ScoreUnit::Stars => "stars",
            ScoreUnit::Score => "score",
            ScoreUnit::Probability => "probability",
        };
        let why = answer.items.iter().any(|item| !item.reasons.is_empty());
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        let titles = answer.items.iter().any(|item| item.title.is_some());
        let columns = [(true, ""), (true, "item"), (titles, "title"), (true, unit), (why, "because")];
        table.set_header(columns.into_iter().filter(|(there, _)| *there).map(|(_, name)| name));
        for (item, place) in answer.items.iter().zip(1..) {
            if answer.ties_from == Some(place - 1) {
                table.add_row(["", NOTHING_KNOWN, ""]);
            }
            let mut row = vec![place.to_string(), item.item.clone()];
            row.extend(titles.then(|| item.title.clone().unwrap_or_default()));
            row.push(value(f64::from(item.score)));
            row.extend(why.then(|| item.reasons.join("\n")));
            table.add_row(row);
        }
        for column in [0, if titles { 3 } else { 2 }] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{table}");
    }
    if answer.left_out > 0 {
        let known = counted(answer.left_out, "known item is", "known items are");
        let _ = writeln!(text, "\n{known} left out; --include-seen lets them in.");
    }
    for note in &answer.notes {
        let _ = writeln!(text, "\n{note}");
    }
    text
}

#[cfg(test)]
mod tests {
    use recspeed_types::recommend::Recommended;

    use super::*;

    #[test]
    fn nothing_between_two_commas_is_told_and_no_place_is_where_each_has_an_item() {
        let told = |basket: &str| empty_places(&basket.split(',').map(str::to_owned).collect::<Vec<_>>());
        let one = "1 place of the basket is empty and counts for nothing; what stands between two commas is an item.";
        assert_eq!(told("50,,181").as_deref(), Some(one));
        assert!(told("50, ,").is_some_and(|words| words.starts_with("2 places of the basket are empty and count for")));
        assert_eq!((told("50,181"), empty_places(&[])), (None, None));
    }

    #[test]
    fn the_list_says_to_whom_what_and_why() {
        let request = RecommendRequest {
            user: Some("u7".to_owned()),
            basket: Vec::new(),
            k: 2,
            explain: true,
            include_seen: false,
            withhold_rows: false,
        };
        let item = |item: &str, reasons: &[&str]| Recommended {
            item: item.to_owned(),
            title: None,
            score: 0.5,
            reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
        };
        let answer = Recommendations {
            items: vec![item("a", &["they have b (adds 0.500)"]), item("c", &[])],
            unit: ScoreUnit::Score,
            ties_from: None,
            left_out: 1,
            has: Vec::new(),
            withheld: false,
            notes: vec!["A note.".to_owned()],
        };
        let text = render(&request, &answer);
        for words in
            ["Recommended to user u7", "because", "they have b (adds 0.500)", "1 known item is left out", "A note."]
        {
            assert!(text.contains(words), "{text}");
        }
        assert!(!text.contains("Nothing is known"), "{text}");
        let padded = render(&request, &Recommendations { ties_from: Some(1), ..answer.clone() });
        let place = |words: &str| padded.find(words).unwrap_or_else(|| panic!("{words}: {padded}"));
        assert!(place("1 ┆ a") < place("Nothing is known") && place("Nothing is known") < place("2 ┆ c"), "{padded}");
        let mut named = answer.clone();
        named.items[1].title = Some("Heat (1995)".to_owned());
        let named = render(&request, &named);
        assert!(
            named.contains("title") && named.contains("2 ┆ c    ┆ Heat (1995)") && !text.contains("title"),
            "{named}"
        );
        let basket = ["50", "50"].map(BasketEntry::parse).to_vec();
        let one = render(&RecommendRequest { user: None, basket, ..request.clone() }, &answer);
        assert!(one.starts_with("Recommended to 1 item in the basket"), "{one}");
        let none = render(&request, &Recommendations { items: Vec::new(), left_out: 0, ..answer });
        assert!(none.contains("Nothing is left to recommend") && !none.contains("because"), "{none}");
    }
}
