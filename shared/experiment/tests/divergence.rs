//! What is far worse than knowing nothing never ends as if it were a result: it is refused, or the result says so.

mod desk;

use recspeed_experiment::RunFailure;
use recspeed_types::catalogue::{ENTRIES, Entry, Family, ParamKind, Predicts};
use recspeed_types::{EventKind, FailureCode, RunSummary};

use desk::{attempt, attempt_from};

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";

fn rated(recommender: &str) -> Result<RunSummary, RunFailure> {
    let text = format!("{FRAME}[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"rmse\"]\n");
    attempt(None, &text, None).0
}

/// A network over sequences, in three epochs of such long steps.
fn sequences(kind: &str, rate: f64, training: &str) -> String {
    format!(
        "{FRAME}sample = 3000\n[split]\nkind = \"leave-last-out\"\nvalidation = true\n[recommender]\nkind = \"{kind}\"\nfactors = 16\n[training]\nepochs = 3\nlearning_rate = {rate:?}\n{training}[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 20\n"
    )
}

/// The numbers that follow each of such words.
fn numbers_after(words: &str, text: &str) -> Vec<f64> {
    let number = |rest: &str| rest.split([' ', ',', ')', ';']).next().and_then(|number| number.parse::<f64>().ok());
    text.split(words).skip(1).filter_map(number).collect()
}

/// Softmax and its slope are finite however long the steps are: nothing overflows, and the losses stay where they have jumped to.
#[test]
fn a_training_that_ends_far_above_knowing_nothing_is_refused_however_finite_it_is() {
    for (kind, rate) in [("bert4rec", 2.0), ("gru4rec", 0.5), ("gru4rec", 1.0), ("sasrec", 2.0)] {
        let text = sequences(kind, rate, "");
        let failure = attempt(None, &text, None).0.expect_err(kind);
        assert_eq!(failure.code, FailureCode::Diverged, "{kind}: {failure}");
        let cause = &failure.cause;
        assert!(cause.contains("training.learning_rate"), "{kind}: {cause}");
        let [good] = numbers_after("after a loss of ", cause)[..] else { panic!("{kind}: {cause}") };
        assert!(good < 5.0 * 1140.0_f64.ln(), "{kind}: no good value is far above knowing nothing: {cause}");
        let [end, left] = numbers_after(" at step ", cause)[..] else { panic!("{kind}: {cause}") };
        assert!(left < end, "{kind}: it has left before: {cause}");
    }
}

/// On one device, and on two ranks.
#[test]
fn a_training_that_stays_far_off_is_not_trained_to_its_end() {
    let text = sequences("sasrec", 30.0, "").replace("epochs = 3", "epochs = 30");
    for strategy in ["", "[strategy]\nkind = \"data-parallel\"\nranks = 2\n"] {
        let failure = attempt(None, &format!("{text}{strategy}"), None).0.expect_err("every epoch costs thousands");
        let cause = &failure.cause;
        assert_eq!(failure.code, FailureCode::Diverged, "{strategy}: {failure}");
        let [epoch] = numbers_after("(epoch ", cause)[..] else { panic!("{strategy}: {cause}") };
        assert!(epoch < 10.0 && cause.contains("loss became"), "{strategy}: {cause}");
        assert!(!cause.contains("mean loss of the last steps"), "{strategy}: {cause}");
        assert!(cause.contains(", the last good one; try training.learning_rate"), "{strategy}: {cause}");
    }
}

#[test]
fn early_stopping_brings_no_epoch_back_that_has_run_away() {
    let text = sequences("gru4rec", 1.0, "early_stopping = 1\n");
    let failure = attempt(None, &text, None).0.expect_err("every epoch costs hundreds");
    assert_eq!(failure.code, FailureCode::Diverged, "{failure}");
    let honest = sequences("gru4rec", 0.001, "early_stopping = 1\n");
    assert!(attempt(None, &honest, None).0.is_ok());
}

#[test]
fn going_on_from_the_last_checkpoint_of_a_diverged_training_makes_no_result_of_it() {
    let text = sequences("gru4rec", 1.0, "");
    let (first, checkpoint) = attempt_from(None, &text, None);
    assert_eq!(first.unwrap_err().code, FailureCode::Diverged);
    assert!(checkpoint.is_some(), "an epoch may be followed by a better one: its state is offered");
    let (second, _) = attempt_from(checkpoint, &text, None);
    assert_eq!(second.unwrap_err().code, FailureCode::Diverged);
}

/// The squares of one round are small and those of the next are two thousand: which round is the last decides nothing.
#[test]
fn factors_are_judged_as_the_last_round_left_them() {
    let text = "kind = \"nmf\"\nfactors = 200\nregularization = 0.0\niterations = 30";
    let failure = rated(text).expect_err("it swings to its end");
    assert_eq!(failure.code, FailureCode::Diverged, "{failure}");
    for part in ["The loss swings between ", "recommender.factors near ", "raise recommender.regularization (now 0)"] {
        assert!(failure.cause.contains(part), "{failure}");
    }
    assert!(rated("kind = \"nmf\"\nfactors = 200\niterations = 30").is_ok(), "with some regularization it settles");
}

/// A fit may learn its own rows by heart and know nothing of others: its loss is good.
#[test]
fn whoever_errs_by_more_than_the_scale_is_wide_says_so_with_a_remedy() {
    let beyond = |recommender: &str| {
        let summary = rated(recommender).unwrap_or_else(|failure| panic!("{recommender}: {failure}"));
        summary.warnings.into_iter().find(|warning| warning.contains("more than the whole scale of the ratings"))
    };
    let by_heart = "kind = \"fm\"\nsolver = \"als\"\nregularization = 0.0\ninit_deviation = 10.0\niterations = 100";
    let said = beyond(by_heart).expect("it errs by thousands");
    for part in ["1 to 5", "lower recommender.init_deviation (now 10)", "raise recommender.regularization (now 0)"] {
        assert!(said.contains(part), "{said}");
    }
    for honest in ["kind = \"global-mean\"", "kind = \"bias\"", "kind = \"fm\"\niterations = 20"] {
        assert_eq!(beyond(honest), None, "{honest}");
    }
}

#[test]
fn whoever_errs_clearly_more_than_the_mean_says_so_with_both_errors() {
    let rows = (0..600u32).map(|row| {
        let (user, item) = (row / 15, row % 15);
        format!("u{user},i{item},{},{row}\n", (user * 7 + item * 3 + user * item) % 5 + 1)
    });
    let rows = rows.collect::<String>();
    let told = |recommender: &str| {
        let text = format!("{FRAME}[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"rmse\"]\n");
        let summary = attempt(Some(&rows), &text, None).0.unwrap_or_else(|failure| panic!("{recommender}: {failure}"));
        summary.warnings.into_iter().find(|warning| warning.contains("that of the mean of the training ratings"))
    };
    let nothing = told("kind = \"nmf\"\nregularization = 100.0").expect("all its predictions are about 0");
    assert!(nothing.contains("recommender.regularization (now 100)"), "{nothing}");
    for honest in ["kind = \"global-mean\"", "kind = \"bias\""] {
        assert_eq!(told(honest), None, "{honest}");
    }
}

/// Forty people rate fifteen items, most of which are as good for one as for another, in this unit.
fn of_good_and_bad_items(unit: u32) -> String {
    let rows = (0..600u32).map(|row| {
        let (user, item) = (row / 15, row % 15);
        let stars = if (user + item).is_multiple_of(7) { 3 } else { item % 5 + 1 };
        format!("u{user},i{item},{},{row}\n", stars * unit)
    });
    rows.collect()
}

/// What a result says of errors that are no less than those of one number for everybody.
fn no_better(csv: Option<&str>, recommender: &str, metric: &str) -> Option<String> {
    let text = format!("{FRAME}[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"{metric}\"]\n");
    let (result, events) = attempt(csv, &text, None);
    let summary = result.unwrap_or_else(|failure| panic!("{recommender}: {failure}"));
    let is_one = |text: &str| text.contains(", for everybody and everything, is ");
    let said = summary.warnings.into_iter().find(|warning| is_one(warning));
    let on_the_way = events.iter().any(|e| matches!(e, EventKind::Warning { message } if is_one(message)));
    assert_eq!(said.is_some(), on_the_way, "{recommender}");
    said
}

/// Steps that a few stars need arrive nowhere among thousands and millions.
#[test]
fn a_fit_that_ends_by_the_mean_is_warned_of() {
    let thousands = of_good_and_bad_items(1000);
    let slow = "kind = \"biased-mf\"\nlearning_rate = 1e-6";
    let said = no_better(Some(&thousands), slow, "rmse").expect("it has hardly moved");
    for part in [
        "that of the mean of the training ratings, for everybody",
        "next to nothing that helps here was learnt; divide the ratings in the file by 1000 (they go from 1000 to 5000",
        "; or raise recommender.iterations (now 20), or try another ",
        "; or take one that shrinks towards the mean what few ratings tell, as bias",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("raise recommender.learning_rate"), "such steps would run away: {said}");
    let millions = of_good_and_bad_items(1_000_000);
    let said = no_better(Some(&millions), "kind = \"ffm\"", "rmse").expect("AdaGrad's steps are as long as ever");
    assert!(said.contains("was learnt; divide the ratings in the file by 1e6 (they go from 1e6 to 5e6"), "{said}");
    let stars = of_good_and_bad_items(1);
    for (rows, recommender) in [
        (&stars, "kind = \"biased-mf\""),
        (&stars, "kind = \"slope-one\""),
        (&thousands, "kind = \"slope-one\""),
        (&thousands, "kind = \"global-mean\""),
        (&thousands, "kind = \"bias\""),
    ] {
        assert_eq!(no_better(Some(rows), recommender, "rmse"), None, "{recommender}");
    }
}

/// On ten thousand made-up ratings, of which most people have few, `nmf` errs 9 % more than the mean of all, and `slope-one`
/// 14 %, as the programs of a release measured them.
#[test]
fn whoever_errs_more_than_the_mean_by_more_than_chance_is_told_even_where_it_is_less_than_a_tenth() {
    let worse = |recommender: &str| {
        let said = no_better(None, recommender, "rmse").expect(recommender);
        assert!(said.contains(": predictions that know nothing err less; "), "{said}");
        assert!(said.ends_with("take one that shrinks towards the mean what few ratings tell, as bias"), "{said}");
        said
    };
    assert!(worse("kind = \"nmf\"").contains("; try another recommender.regularization (now 0.06)"));
    let nothing_to_set = worse("kind = \"slope-one\"");
    assert!(nothing_to_set.contains("; slope-one has nothing to set, and the data give it too"), "{nothing_to_set}");
}

/// Nine of ten ratings say liked, and a network that has made one short step says about as often that they do not.
#[test]
fn a_network_of_likes_is_held_against_their_share_where_its_errors_are_asked_for() {
    let rows = (0..600u32).map(|row| {
        let rating = if row.is_multiple_of(10) { 1 } else { 5 };
        format!("u{},i{},{rating},{row}\n", row / 15, row % 15)
    });
    let rows = rows.collect::<String>();
    let network = "kind = \"densenet\"\nlayers = 2\ngrowth = 2\n[training]\nepochs = 1\nlearning_rate = 1e-9";
    let said = no_better(Some(&rows), network, "rmse").expect("it knows nothing");
    assert!(said.contains("that of the share of liked ones among the training ratings, for everybody"), "{said}");
    assert!(said.contains("raise training.learning_rate (now 0.000000001)"), "{said}");
    assert!(!said.contains("bias"), "which predicts ratings: {said}");
    assert_eq!(no_better(Some(&rows), network, "auc"), None, "it may well put the right ones first");
}

/// A cold user or item is worth the mean to whoever knows ids alone.
#[test]
fn rows_of_whom_nothing_was_learnt_are_named_as_the_reason_where_they_are_most() {
    // One rating each, of an item that five have.
    let rows: Vec<String> = (0..400u32).map(|row| format!("u{row},i{},{},{row}\n", row / 5, row * 7 % 5 + 1)).collect();
    let said = no_better(Some(&rows.concat()), "kind = \"nmf\"", "rmse").expect("nobody of the test is known");
    for part in ["; 80 of 80 test rows are of users or items without a row to learn from", "(dataset.min_user, "] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("recommender.regularization"), "{said}");
}

/// Where each person likes one of two items, and which one differs, the other rating tells the wrong way; nothing can be set.
#[test]
fn methods_with_nothing_to_set_are_told_of_the_data_and_baselines_of_nothing() {
    let rows = (0..800u32).map(|row| {
        let user = row / 2;
        let away = if user == 0 { 2 } else { 1 };
        let rating = if (row + user / 20).is_multiple_of(2) { 3 - away } else { 3 + away };
        format!("u{user},i{},{rating},{row}\n", row * 7 % 40)
    });
    let rows = rows.collect::<String>();
    let rated = |kind: &str| {
        let text = format!("{FRAME}[recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = [\"rmse\"]\n");
        attempt(Some(&rows), &text, None).0.unwrap_or_else(|failure| panic!("{kind}: {failure}"))
    };
    let of_mean = rated("global-mean").metrics["rmse"];
    let mut worse = Vec::new();
    for entry in ENTRIES.iter().filter(|entry| entry.predicts == Predicts::Ratings && entry.params.is_empty()) {
        let (kind, summary) = (entry.kind, rated(entry.kind));
        if summary.metrics["rmse"] > 1.1 * of_mean {
            worse.push(kind);
        }
        let told = summary.warnings.iter().find(|said| said.contains("that of the mean of the training ratings"));
        if entry.family == Family::Baseline {
            assert_eq!(told, None, "{kind}: it is there to be beaten");
        } else {
            let said = told.unwrap_or_else(|| panic!("{kind}: {:?}", summary.warnings));
            let of_the_data =
                format!("; {kind} has nothing to set, and the data give it too little to learn from; take ");
            assert!(said.contains(&of_the_data) && !said.contains("try another"), "{said}");
        }
    }
    assert!(["user-mean", "slope-one"].iter().all(|kind| worse.contains(kind)), "{worse:?} err more than {of_mean}");
}

/// What a run by lists says of them.
fn of_lists(recommender: &str) -> Vec<String> {
    let text = format!(
        "{FRAME}[split]\nkind = \"leave-last-out\"\n[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 200\n"
    );
    attempt(None, &text, None).0.unwrap_or_else(|failure| panic!("{recommender}: {failure}")).warnings
}

#[test]
fn one_list_for_everybody_is_told_of_whoever_should_tell_people_apart() {
    let told =
        |recommender: &str| of_lists(recommender).into_iter().find(|said| said.contains("one and the same list"));
    let nothing = told("kind = \"slim\"\nl1 = 1e9").expect("all its weights are 0");
    assert!(nothing.starts_with("all ") && nothing.contains("less what each has already"), "{nothing}");
    assert!(nothing.contains("slim scores all items alike") && nothing.contains("recommender.l1 (now 1"), "{nothing}");
    for other in ["popularity", "bias", "random", "item-knn"] {
        assert_eq!(told(&format!("kind = \"{other}\"")), None, "{other}");
    }
}

/// By the counts of ten thousand rows 12 % of the users find one of their items in ten; vectors that are still as they were drawn give
/// lists at random.
#[test]
fn a_training_that_finds_less_than_popularity_is_told_with_what_to_set_and_one_that_finds_more_is_not() {
    let told = |recommender: &str| {
        let metrics = "[\"coverage@10\", \"hit@10\"]";
        let text = format!("{FRAME}[recommender]\n{recommender}\n[evaluation]\nmetrics = {metrics}\n");
        let summary = attempt(None, &text, None).0.unwrap_or_else(|failure| panic!("{recommender}: {failure}"));
        let all = summary.warnings;
        all.into_iter().find(|said| said.contains("and that of popularity, which only counts rows, is 0."))
    };
    let said = told("kind = \"bpr\"\niterations = 1\nlearning_rate = 0.000001").expect("its steps are too short");
    assert!(said.starts_with("the hit@10 is 0.0") && said.contains("bpr finds less than counting does; "), "{said}");
    assert!(said.contains("recommender.learning_rate (now 0.000001)"), "{said}");
    for kind in ["als-implicit", "random", "popularity"] {
        assert_eq!(told(&format!("kind = \"{kind}\"")), None, "{kind}: it finds more, or learns nothing");
    }
}

#[test]
fn correlations_of_few_people_without_shrinkage_are_told_wherever_they_stand() {
    let told = |recommender: &str| of_lists(recommender).into_iter().find(|said| said.contains("shrinkage is 0"));
    let alone = told("kind = \"item-knn\"\nsimilarity = \"pearson\"").expect("2 people in common make it 1");
    assert!(alone.starts_with("recommender.similarity is \"pearson\" and recommender.shrinkage is 0"), "{alone}");
    let within = "kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"item-knn\", similarity = \"adjusted-cosine\" }]";
    assert!(told(within).expect("a component, too").starts_with("recommender.components[1].similarity is "));
    for honest in ["kind = \"item-knn\"", "kind = \"item-knn\"\nsimilarity = \"pearson\"\nshrinkage = 50.0"] {
        assert_eq!(told(honest), None, "{honest}");
    }
}

#[test]
fn ratings_far_from_the_rest_are_told_to_whoever_reads_them_or_weighs_by_them() {
    let told = |entry: &Entry, odd: &str| {
        let rows = (0..60).map(|row| {
            let rating = if row == 17 { odd.to_owned() } else { (row % 5 + 1).to_string() };
            format!("u{},i{},{rating},{row}\n", row % 12, row / 6)
        });
        let metrics = if entry.predicts.has_ratings() { "rmse" } else { "hit@5" };
        let shallow = if entry.param("layers").is_some() { "layers = 1\n" } else { "" };
        let recommender = format!("kind = \"{}\"\n{shallow}", entry.kind);
        let text = format!("{FRAME}[recommender]\n{recommender}[evaluation]\nmetrics = [\"{metrics}\"]\n");
        let (_, events) = attempt(Some(&rows.collect::<String>()), &text, None);
        let is_one = |message: &str| message.contains("times as large as the usual one");
        events.iter().any(|event| {
            let EventKind::Warning { message } = event else { return false };
            let names = ["1 of 60 ", "1e38", "`u5`", "`i2`"].iter().all(|part| message.contains(part));
            assert!(!is_one(message) || names, "{message}");
            is_one(message)
        })
    };
    // Networks that only rank take long, and hybrids read what their components read.
    let quick = |entry: &&Entry| entry.predicts.has_ratings() || !entry.is_trained();
    for entry in ENTRIES.iter().copied().filter(|entry| entry.family != Family::Hybrid).filter(quick) {
        // Who has what is no number of stars, and a probability of liking no measure of them; but what people have may be
        // weighed by them.
        let reads_stars = entry.predicts.has_ratings() && !entry.predicts.has_probabilities();
        let weighs = entry.param("weighting").is_some_and(
            |weighting| matches!(weighting.kind, ParamKind::Choice { default, .. } if default == "rating"),
        );
        assert_eq!(told(entry, "1e38"), reads_stars || weighs, "{}", entry.kind);
        assert!(!told(entry, "5"), "{}", entry.kind);
    }
}

#[test]
fn who_weighs_by_ratings_far_from_the_rest_is_told_which_setting_does_not() {
    let rows = (0..60).map(|row| {
        let rating = if row == 17 { 100_000 } else { row % 5 + 1 };
        format!("u{},i{},{rating},{row}\n", row % 12, row / 6)
    });
    let rows: String = rows.collect();
    let told = |recommender: &str| {
        let text = format!("{FRAME}[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"hit@5\"]\n");
        attempt(Some(&rows), &text, None).1.into_iter().find_map(|event| match event {
            EventKind::Warning { message } if message.contains("times as large as the usual one") => Some(message),
            _ => None,
        })
    };
    let alone = told("kind = \"ease\"").expect("one rating outweighs all others");
    assert!(alone.ends_with(", and where they are counts, set recommender.weighting = \"binary\""), "{alone}");
    assert_eq!(told("kind = \"ease\"\nweighting = \"binary\""), None);
    let within = told("kind = \"mixed\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"item-knn\" }]");
    let within = within.expect("a component, too");
    assert!(within.ends_with("set recommender.components[1].weighting = \"binary\""), "{within}");
    assert_eq!(told("kind = \"popularity\""), None);
}
