//! The course of a run on a host without files: what is told, in which order, and what the result says.

mod desk;

use std::collections::BTreeMap;

use recspeed_types::catalogue::{ENTRIES, Entry, Need, Predicts};
use recspeed_types::event::Phase;
use recspeed_types::summary::Group;
use recspeed_types::{EventKind, FailureCode, Mode, RunSummary};

use desk::{attempt, whole};

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";

#[test]
fn every_kind_of_the_catalogue_runs_and_its_numbers_are_finite() {
    for entry in ENTRIES {
        let metrics = match entry.predicts {
            Predicts::Ratings | Predicts::Both => {
                r#"["rmse", "nmae", "user-mae", "accuracy", "auc", "ndcg@10", "coverage@10"]"#
            }
            Predicts::Likes => r#"["rmse", "accuracy", "auc", "log-loss", "f1@10"]"#,
            Predicts::Scores | Predicts::Components | Predicts::LastComponent => {
                r#"["ndcg@10", "mrr@10", "novelty@5", "diversity@10", "serendipity@10", "gini@10", "popularity-lift@10"]"#
            }
        };
        let kind = entry.kind;
        let text =
            format!("{FRAME}[recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = {metrics}\nmax_users = 200\n");
        let (result, events) = attempt(None, &text, None);
        let summary = result.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
        assert!(summary.metrics.values().all(|value| value.is_finite()), "{kind}: {:?}", summary.metrics);
        assert_eq!(summary.evaluation.evaluated_users, 200, "{kind}");
        assert!(summary.evaluation.sampled_users, "{kind}");
        let told: BTreeMap<_, _> = events
            .iter()
            .filter_map(|event| match event {
                EventKind::Metric { name, value, split: recspeed_types::event::MeasuredOn::Test, .. } => {
                    Some((name.clone(), *value))
                }
                _ => None,
            })
            .collect();
        assert_eq!(told, summary.metrics, "{kind}: what was told on the way is not what the summary says");
    }
}

#[test]
fn a_run_tells_its_parts_in_order() {
    let (result, events) = attempt(None, &format!("{FRAME}[recommender]\nkind = \"item-mean\"\n"), None);
    assert!(result.is_ok());
    assert!(matches!(events[0], EventKind::Started { .. }));
    let phases: Vec<_> =
        events.iter().filter_map(|e| if let EventKind::Phase { phase } = e { Some(*phase) } else { None }).collect();
    assert_eq!(phases, [Phase::Load, Phase::Fit, Phase::Evaluate]);
    assert!(!events.iter().any(EventKind::is_last), "the last event is the host's to write");
}

#[test]
fn user_neighbours_read_validation_rows_within_the_fit_and_never_where_those_are_measured_on() {
    let compared = |on: &str| {
        let split = "[split]\nkind = \"leave-last-out\"\nvalidation = true\n[recommender]\nkind = \"user-knn\"\n";
        let text = format!("{FRAME}{split}[evaluation]\non = \"{on}\"\nmetrics = [\"rmse\"]\n");
        let (result, events) = attempt(None, &text, None);
        let begins = |part: Phase| move |e: &&EventKind| matches!(e, EventKind::Phase { phase } if *phase == part);
        let (fit, evaluate) = (begins(Phase::Fit), begins(Phase::Evaluate));
        let fit = events.iter().skip_while(|event| !fit(event)).take_while(|event| !evaluate(event));
        let end = |event: &EventKind| match event {
            EventKind::Progress { done, total, .. } if done == total => Some(*total),
            _ => None,
        };
        (fit.filter_map(end).collect::<Vec<u64>>(), result.unwrap().data)
    };
    let (passes, data) = compared("test");
    assert_eq!((passes.len(), passes[0]), (2, data.users));
    assert!((1..=data.validation).contains(&passes[1]), "{passes:?} of {} validation rows", data.validation);
    let (passes, data) = compared("validation");
    assert_eq!(passes, [data.users], "who is measured on the validation rows has not read them");
}

/// Six ratings by hand: fold 1 of 2 holds the first three out.
const TINY: &str = "a,x,5,1\nb,y,3,2\nc,x,1,3\na,y,4,4\nb,x,2,5\nc,y,3,6\n";

#[test]
fn means_and_errors_are_those_worked_out_by_hand() {
    let spec = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"contiguous-fold\"\nfolds = 2\nfold = 1\n[recommender]\nkind = \"global-mean\"\n[evaluation]\nmetrics = [\"rmse\", \"mae\", \"accuracy\"]\nthreshold = 3.0\n";
    let (result, _) = attempt(Some(TINY), spec, None);
    let metrics = result.unwrap().metrics;
    // Training ratings 4, 2, 3: mean 3. Test ratings 5, 3, 1: errors 2, 0, 2.
    assert!((metrics["rmse"] - (8.0_f64 / 3.0).sqrt()).abs() < 1e-6);
    assert!((metrics["mae"] - 4.0 / 3.0).abs() < 1e-6);
    // Predicted 3 ≥ 3 is liked; true 5 and 3 are liked, 1 is not: two of three agree.
    assert!((metrics["accuracy"] - 2.0 / 3.0).abs() < 1e-12);
}

/// Fold 2 of 2 holds the second six out. Before the test x has 3 rows, y 2, z 1, and w none; d has none.
const COLD: &str =
    "a,x,5,1\na,y,4,2\nb,x,3,3\nb,z,2,4\nc,x,4,5\nc,y,1,6\na,z,5,7\nb,y,4,8\nc,w,3,9\nd,x,5,10\na,w,1,0\nd,y,2,11\n";

fn fold_two_by_popularity(csv: &str, evaluation: &str) -> RunSummary {
    let frame = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"contiguous-fold\"\nfolds = 2\nfold = 2\n[recommender]\nkind = \"popularity\"\n";
    attempt(Some(csv), &format!("{frame}[evaluation]\n{evaluation}\n"), None).0.unwrap()
}

#[test]
fn groups_of_users_and_rows_are_those_worked_out_by_hand() {
    use recspeed_types::summary::BreakdownBy::{ColdStart, ItemPopularity, UserActivity};
    let summary = fold_two_by_popularity(COLD, "metrics = [\"hit@1\", \"recall@1\"]");
    // First places: z for a and c, who know x and y; y for b; x for d, who knows nothing.
    assert_eq!((summary.metrics["hit@1"], summary.metrics["recall@1"]), (0.75, 0.5));
    let of = |by| {
        let breakdown = summary.breakdowns.iter().find(|breakdown| breakdown.by == by).unwrap();
        let group = |group: &Group| {
            // Means over users, or the share of rows.
            let found = group.metrics.get("recall@1").or(group.metrics.get("rows-found@1"));
            (group.name.clone(), group.users, group.rows, *found.unwrap())
        };
        breakdown.groups.iter().map(group).collect::<Vec<_>>()
    };
    let named = |list: &[(&str, u64, u64, f64)]| {
        list.iter().map(|group| (group.0.to_owned(), group.1, group.2, group.3)).collect::<Vec<_>>()
    };
    // Of d's two items one, of a's two one, of b's one one, of c's one none.
    assert_eq!(of(UserActivity), named(&[("no ratings", 1, 2, 0.5), ("1 to 4 ratings", 3, 4, 0.5)]));
    assert_eq!(
        of(ItemPopularity),
        named(&[
            ("most popular tenth", 1, 1, 1.0),
            ("tenth 4", 2, 2, 0.5),
            ("tenth 7", 1, 1, 1.0),
            ("items without ratings", 2, 2, 0.0)
        ])
    );
    assert_eq!(
        of(ColdStart),
        named(&[("user and item known", 2, 2, 1.0), ("new item", 2, 2, 0.0), ("new user", 1, 2, 0.5)])
    );
    assert_eq!((summary.evaluation.cold_users, summary.evaluation.cold_item_rows), (1, 2));
    // a rated w at time 0, before its training row at time 2.
    assert_eq!(summary.data.leaks, Some(1));
}

#[test]
fn a_group_says_how_many_of_its_users_were_ranked_for_and_how_many_of_its_rows_were_looked_for() {
    use recspeed_types::summary::BreakdownBy::{self, UserActivity};
    // Of each breakdown the rows, those that were looked for, and, by the user's activity, the users, in and ranked for.
    let counted = |evaluation: &str| {
        let summary = fold_two_by_popularity(COLD, &format!("metrics = [\"hit@1\"]\n{evaluation}"));
        let sum = |of: &dyn Fn(&Group) -> u64, by: Option<BreakdownBy>| {
            let groups = summary.breakdowns.iter().filter(|breakdown| by == Some(breakdown.by) || by.is_none());
            groups.map(|breakdown| breakdown.groups.iter().map(of).sum::<u64>()).collect::<Vec<u64>>()
        };
        let ranked = |group: &Group| group.ranked.unwrap();
        let rows = (sum(&|group| group.rows, None), sum(&|group| ranked(group).rows, None));
        let of_users = Some(UserActivity);
        let users = (sum(&|group| group.users, of_users)[0], sum(&|group| ranked(group).users, of_users)[0]);
        assert_eq!(users.1, summary.evaluation.evaluated_users);
        (rows, users)
    };
    assert_eq!(counted(""), ((vec![6; 3], vec![6; 3]), (4, 4)));
    // b and c have one row in the test, a and d two.
    let ((rows, looked_for), users) = counted("max_users = 2");
    assert_eq!((rows, users), (vec![6; 3], (4, 2)));
    assert!((2..=4).contains(&looked_for[0]) && looked_for == [looked_for[0]; 3], "{looked_for:?}");
    // Among cold items a and c ask for w, and nobody for anything else.
    assert_eq!(counted("candidates = \"cold\""), ((vec![6; 3], vec![2; 3]), (4, 2)));
    let text = format!("{FRAME}[recommender]\nkind = \"item-mean\"\n[evaluation]\nmetrics = [\"rmse\"]\n");
    let errors = attempt(None, &text, None).0.unwrap();
    assert!(errors.breakdowns.iter().flat_map(|breakdown| &breakdown.groups).all(|group| group.ranked.is_none()));
}

#[test]
fn a_measure_on_the_validation_rows_never_looks_at_the_test_rows() {
    // Of a's four rows the newest is the test and the one before it the validation; b and c only fill the shelves.
    let rows =
        |last: &str| format!("b,x,5,1\nb,y,5,2\nb,{last},5,9\nc,x,5,1\na,z,5,3\na,w,5,4\na,x,5,5\na,{last},5,6\n");
    let on = |csv: &str, on: &str| {
        let text = format!(
            "{FRAME}[split]\nkind = \"leave-last-out\"\nvalidation = true\nfit_on = \"train-validation\"\n[recommender]\nkind = \"popularity\"\n[evaluation]\nmetrics = [\"hit@1\", \"novelty@1\"]\non = \"{on}\"\n"
        );
        attempt(Some(csv), &text, None).0.unwrap()
    };
    let (one, other) = (on(&rows("q"), "validation"), on(&rows("r"), "validation"));
    assert_eq!((&one.metrics, one.evaluation.candidate_items), (&other.metrics, other.evaluation.candidate_items));
    // Training: b has x, a has z and w, c has x. a's validation item x is the most popular.
    assert_eq!(one.evaluation.on, recspeed_types::spec::EvaluateOn::Validation);
    let test = on(&rows("q"), "test").evaluation;
    assert!(test.candidate_items > one.evaluation.candidate_items);
    assert!(test.candidates.contains("all items with training or validation rows"), "{}", test.candidates);
    assert!(one.evaluation.candidates.contains("all items with training rows"), "{}", one.evaluation.candidates);
    let failure = attempt(
        None,
        &format!("{FRAME}[recommender]\nkind = \"popularity\"\n[evaluation]\non = \"validation\"\n"),
        None,
    );
    assert!(failure.0.unwrap_err().cause.contains("split.validation_ratio"));
}

#[test]
fn who_answers_from_what_somebody_has_reads_the_validation_rows_for_the_test_and_not_for_their_own() {
    // Every kind that says so of itself is asked, but those that cannot tell items apart here: the ratings are all alike, so that user
    // neighbours and Slope One answer with the one that there is, and nothing is known of the items, without which content is refused.
    const BLIND: [&str; 4] = ["user-knn", "slope-one", "content-tfidf", "content-linear"];
    // Twelve people walk through eight items, each from another; person 0's validation item, the seventh, is the one that changes.
    let rows = |seventh: usize| -> String {
        let row = |(user, step)| {
            let item = if (user, step) == (0, 6) { seventh } else { (user + step) % 9 };
            format!("u{user},i{item},5,{}\n", 10 * step + user)
        };
        (0..12).rev().flat_map(|user| (0..8).map(move |step| (user, step))).map(row).collect()
    };
    // What goes by the order of somebody's rows answers from them, so that a new such kind cannot be left out unsaid.
    for entry in ENTRIES.iter().filter(|entry| entry.needs.contains(&Need::Order)) {
        assert!(entry.reads_history, "{}", entry.kind);
    }
    let own =
        ENTRIES.iter().filter(|entry| entry.reads_history && !BLIND.contains(&entry.kind)).map(|entry| entry.kind);
    // Hybrids do as their components; other hybrids need to know of the items.
    let kinds = own.chain(["switching", "mixed", "cascade"]);
    let vote = ["kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"sasrec\" }]".to_owned()];
    let readers: Vec<String> = kinds.map(|kind| format!("kind = \"{kind}\"")).chain(vote).collect();
    let scores = |recommender: &str, seventh: usize, on: &str| {
        let named = |entry: &Entry| recommender.contains(&format!("\"{}\"", entry.kind));
        let learns = ENTRIES.iter().any(|entry| entry.is_trained() && named(entry));
        let training = if learns { "[training]\nepochs = 1\n" } else { "" };
        let text = format!(
            "{FRAME}[split]\nkind = \"leave-last-out\"\nvalidation = true\n[recommender]\n{recommender}\n{training}[evaluation]\nmetrics = [\"hit@1\"]\non = \"{on}\"\n"
        );
        let outcome = whole(Some(&rows(seventh)), &text, None).0.unwrap_or_else(|failure| panic!("{failure}"));
        let user = outcome.interactions.users.index_of("u0").unwrap();
        let mut scores = vec![0.0; outcome.interactions.n_items()];
        outcome.model.as_recommender().score_all(user, &mut scores);
        scores.iter().map(|score: &f32| score.to_bits()).collect::<Vec<u32>>()
    };
    for recommender in &readers {
        let of = |on| (scores(recommender, 6, on), scores(recommender, 8, on));
        let (one, other) = of("validation");
        assert_eq!(one, other, "{recommender}: the answer was in the question");
        let (one, other) = of("test");
        assert_ne!(one, other, "{recommender}: before the test the validation item is known");
    }
}

#[test]
fn ties_at_the_last_place_and_cold_items_in_lists_are_counted() {
    // x and y have one row each: the tie rule decides for c, while a has only y left.
    let tied = fold_two_by_popularity("a,x,5,1\nb,y,3,2\nc,x,5,3\na,y,4,4\n", "metrics = [\"hit@1\"]");
    assert_eq!((tied.evaluation.tie_share, tied.metrics["hit@1"]), (0.5, 1.0));
    // The one cold item, w, comes last: nobody sees it in the first place, d sees it in the fourth.
    let metrics = "metrics = [\"cold-coverage@1\", \"cold-coverage@4\"]";
    let cold = fold_two_by_popularity(COLD, &format!("{metrics}\ncandidates = \"unseen-and-cold\""));
    assert_eq!((cold.metrics["cold-coverage@1"], cold.metrics["cold-coverage@4"]), (0.0, 1.0));
    // Where cold items are all that is ranked, it comes first; where they are left out, nobody sees it.
    let alone = fold_two_by_popularity(COLD, &format!("{metrics}\ncandidates = \"cold\""));
    assert_eq!((alone.metrics["cold-coverage@1"], alone.metrics["cold-coverage@4"]), (1.0, 1.0));
    assert_eq!(fold_two_by_popularity(COLD, metrics).metrics["cold-coverage@4"], 0.0);
    let all = fold_two_by_popularity(COLD, &format!("{metrics}\ncandidates = \"all\""));
    assert_eq!(all.metrics["cold-coverage@4"], 0.0);
}

#[test]
fn a_sampled_ranking_says_so_flatters_and_is_the_full_one_where_everything_is_drawn() {
    let run = |kind: &str, sampled: &str| {
        let text = format!(
            "{FRAME}[split]\nkind = \"leave-last-out\"\n[recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = [\"hit@10\", \"ndcg@10\"]\nmax_users = 300\n{sampled}"
        );
        attempt(None, &text, None).0.unwrap()
    };
    for kind in ["item-knn", "als-implicit", "popularity", "mlp"] {
        let (full, some) = (run(kind, ""), run(kind, "sampled = 20"));
        let everything = run(kind, "sampled = 1000000");
        assert_eq!(everything.evaluation.candidates, full.evaluation.candidates, "{kind}");
        let told = |warning: &String| warning.ends_with("lists were ranked in full, as without it");
        assert!(everything.warnings.iter().any(told), "{kind}: {:?}", everything.warnings);
        assert_eq!(everything.metrics, full.metrics, "{kind}");
        assert!(some.metrics["hit@10"] > full.metrics["hit@10"], "{kind}: {:?} {:?}", some.metrics, full.metrics);
        assert_eq!(run(kind, "sampled = 20").metrics, some.metrics, "{kind}: drawn again, it is the same");
        assert!(some.evaluation.candidates.starts_with("sampled ranking: each user's test items and 20 items drawn"));
        assert!(some.warnings.iter().any(|warning| warning.starts_with("evaluation.sampled")), "{:?}", some.warnings);
        assert!(!full.warnings.iter().any(|warning| warning.contains("sampled")), "{:?}", full.warnings);
    }
    let text = format!(
        "{FRAME}[recommender]\nkind = \"popularity\"\n[evaluation]\nsampled = 9\nmetrics = [\"coverage@10\"]\n"
    );
    let failure = attempt(None, &text, None).0.unwrap_err();
    assert!(failure.code == FailureCode::InvalidSpec && failure.cause.contains("describes lists"), "{failure}");
}

/// Fold 2 of 2 holds the second six out; four of them ask for x again, of people who have it.
const REPEATED: &str =
    "a,x,5,1\na,y,4,2\nb,x,3,3\nb,z,2,4\nc,x,4,5\nc,w,1,6\na,x,5,7\nb,x,4,8\nb,y,4,9\nc,z,3,10\na,x,1,11\nc,x,2,12\n";

#[test]
fn what_a_user_had_before_the_test_is_in_no_list_sampled_or_full() {
    let metrics = "metrics = [\"hit@1\", \"recall@2\", \"ndcg@2\"]";
    let full = fold_two_by_popularity(REPEATED, metrics);
    let sampled = fold_two_by_popularity(REPEATED, &format!("{metrics}\nsampled = 1000"));
    assert_eq!(sampled.metrics, full.metrics);
    // a gets w and z, b w and y, c y and z: of a nothing is found, of b and c one of two.
    assert_eq!((full.metrics["hit@1"], full.metrics["recall@2"]), (0.0, 1.0 / 3.0));
}

#[test]
fn test_rows_of_what_their_user_had_are_counted_and_told_where_lists_leave_them_out() {
    let told = |candidates: &str| {
        let summary = fold_two_by_popularity(REPEATED, &format!("metrics = [\"hit@1\"]\n{candidates}"));
        let warned =
            summary.warnings.iter().any(|said| said.starts_with("4 of 6 test rows ask for items that their user"));
        (summary.evaluation.repeated_rows, warned)
    };
    assert_eq!(told(""), (4, true));
    assert_eq!(told("candidates = \"unseen-and-cold\""), (4, true));
    assert_eq!(told("candidates = \"all\""), (4, false));
}

#[test]
fn novelty_counts_the_people_who_have_an_item_and_not_how_often() {
    // Of two people one has x, three times: one bit. y, which the other one has, is in no list of theirs.
    let rows = "a,x,5,1\na,x,4,2\na,x,3,3\nb,y,5,4\nb,x,5,5\nb,x,4,6\nb,x,3,7\nb,x,2,8\n";
    assert_eq!(fold_two_by_popularity(rows, "metrics = [\"novelty@1\"]").metrics["novelty@1"], 1.0);
}

#[test]
fn a_mean_over_nobody_is_a_failure_and_not_0() {
    // Everybody lacks one item: no list has a pair.
    let rows = "a,x,5,1\nb,y,3,2\na,y,4,3\nb,x,2,4\n";
    let spec = format!(
        "{FRAME}[split]\nkind = \"contiguous-fold\"\nfolds = 2\nfold = 2\n[recommender]\nkind = \"popularity\"\n[evaluation]\nmetrics = [\"diversity@2\"]\n"
    );
    let failure = attempt(Some(rows), &spec, None).0.unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidSpec);
    assert!(
        failure.cause.contains("diversity is the mean over the evaluated users whose list has a value"),
        "{failure}"
    );
}

#[test]
fn among_cold_items_alone_only_cold_items_are_asked_for() {
    // Of six test rows two are of the one cold item, w: those of a and c. Nothing else can be found, and it is found.
    let cold = fold_two_by_popularity(COLD, "metrics = [\"hit@1\", \"recall@1\"]\ncandidates = \"cold\"");
    assert_eq!((cold.metrics["hit@1"], cold.metrics["recall@1"]), (1.0, 1.0));
    let told = &cold.evaluation;
    assert_eq!((told.candidate_items, told.test_users, told.evaluated_users, told.sampled_users), (1, 4, 2, false));
    assert_eq!((told.left_out_rows, told.left_out_users), (4, 2));
    assert!(cold.warnings.iter().any(|warning| warning.contains("leave out 4 of 6 test rows")), "{:?}", cold.warnings);
    let warm = cold.breakdowns.iter().flat_map(|breakdown| &breakdown.groups).find(|group| group.name == "new user");
    assert!(!warm.unwrap().metrics.contains_key("rows-found@1"), "what is no candidate is not missed");
    let all = fold_two_by_popularity(COLD, "metrics = [\"hit@1\"]");
    assert_eq!((all.evaluation.left_out_rows, all.evaluation.left_out_users), (0, 0));
}

#[test]
fn a_test_on_the_past_is_told_as_a_warning() {
    let spec = format!(
        "{FRAME}[split]\nkind = \"contiguous-fold\"\nfolds = 2\nfold = 1\n[recommender]\nkind = \"global-mean\"\n"
    );
    let (result, _) = attempt(Some(TINY), &spec, None);
    let warnings = result.unwrap().warnings;
    assert!(warnings.iter().any(|w| w.contains("older than the same user's newest training row")), "{warnings:?}");
}

#[test]
fn bad_lines_are_counted_and_the_first_is_quoted() {
    let text = format!("{}a,b,c\n", "u,i,3,1\n".repeat(200));
    let (result, _) = attempt(Some(&text), &format!("{FRAME}[recommender]\nkind = \"global-mean\"\n"), None);
    let summary = result.unwrap();
    assert_eq!(summary.data.bad_lines, 1);
    assert!(summary.warnings[0].contains("1 of 201 lines"), "{:?}", summary.warnings);
    assert!(summary.warnings[0].contains("line 201"), "{:?}", summary.warnings);
}

#[test]
fn runs_that_share_the_data_seed_learn_from_and_are_measured_on_the_same_rows() {
    let result = |kind: &str, seeds: &str| {
        let text = format!(
            "{seeds}\n{FRAME}sample = 5000\n[recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 100\n"
        );
        attempt(None, &text, None).0.unwrap_or_else(|failure| panic!("{kind}: {failure}"))
    };
    let (first, second) = (result("popularity", "seed = 1"), result("popularity", "seed = 2\ndata_seed = 1"));
    assert_eq!((&first.metrics, &first.data), (&second.metrics, &second.data));
    assert_ne!(first.metrics, result("popularity", "seed = 2").metrics);
    // The method's own chance is that of `seed`.
    assert_ne!(result("random", "seed = 1").metrics, result("random", "seed = 2\ndata_seed = 1").metrics);
}

#[test]
fn a_stop_ends_every_kind_as_cancelled() {
    for entry in ENTRIES {
        let metrics = if entry.predicts.has_ratings() { "rmse" } else { "hit@5" };
        let text =
            format!("{FRAME}[recommender]\nkind = \"{}\"\n[evaluation]\nmetrics = [\"{metrics}\"]\n", entry.kind);
        let failure = attempt(None, &text, Some(0)).0.expect_err(entry.kind);
        assert_eq!(failure.code, FailureCode::Cancelled, "{}", entry.kind);
    }
}

#[test]
fn divergence_is_caught_and_never_ends_as_finished() {
    let text =
        format!("{FRAME}[recommender]\nkind = \"mlp\"\n[training]\noptimizer = \"sgd\"\nlearning_rate = 1000.0\n");
    let failure = attempt(None, &text, None).0.unwrap_err();
    assert_eq!(failure.code, FailureCode::Diverged);
    assert!(failure.cause.contains("learning_rate"), "{failure}");
}

#[test]
fn a_run_whose_threads_race_says_so_and_no_other() {
    let raced = |mode: &str, factors: u32, rows: Option<&str>| {
        let recommender = format!("kind = \"warp\"\niterations = 1\nfactors = {factors}\nmode = \"{mode}\"\n");
        let text = format!("{FRAME}[recommender]\n{recommender}[evaluation]\nmetrics = [\"hit@5\"]\n");
        let summary = attempt(rows, &text, None).0.unwrap();
        let said = summary.warnings.iter().any(|said| said.contains("differs a little"));
        assert_eq!(summary.mode, Some(if said { Mode::Fast } else { Mode::Exact }), "{summary:?}");
        said
    };
    let few =
        (0..60).map(|row| format!("u{},i{},{},{row}\n", row % 12, row / 6, row % 5 + 1)).collect::<Vec<_>>().concat();
    assert!(!raced("fast", 8, Some(&few)), "so few steps are one thread's");
    assert!(!raced("exact", 512, None));
    // Numbers of more items than the 511 whose 4 KB each a core keeps near to itself: a race wherever there are two threads.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let told = std::env::var("RAYON_NUM_THREADS").ok().and_then(|told| told.parse::<usize>().ok());
    let threads = told.filter(|told| *told > 0).unwrap_or(cores);
    assert_eq!(raced("fast", 512, None), threads > 1);
}

#[test]
fn items_that_nobody_rated_can_be_candidates_and_content_finds_some_of_them() {
    let frame = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"global-time\"\n";
    let found = |kind: &str, candidates: &str| {
        let text = format!(
            "{frame}[recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = [\"recall@100\"]\ncandidates = \"{candidates}\"\n"
        );
        let summary = attempt(None, &text, None).0.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
        let breakdown = summary.breakdowns.iter().find(|b| b.by == recspeed_types::summary::BreakdownBy::ColdStart);
        let group = breakdown.and_then(|b| b.groups.iter().find(|group| group.name == "new item")).cloned();
        (summary.evaluation.candidate_items, summary.data.items, group.map(|group| group.metrics["rows-found@100"]))
    };
    let (known, items, none) = found("content-tfidf", "unseen");
    assert!(known < items && none == Some(0.0), "{known} of {items}: {none:?}");
    let (all, items, some) = found("content-tfidf", "unseen-and-cold");
    assert_eq!(all, items);
    let (_, _, popular) = found("popularity", "unseen-and-cold");
    assert!(some > popular, "content finds {some:?} of the new items, popularity {popular:?}");
}

#[test]
fn a_network_can_be_a_component() {
    let text = format!(
        "{FRAME}[recommender]\nkind = \"weighted\"\ncomponents = [{{ kind = \"bias\", weight = 3 }}, {{ kind = \"mlp\" }}]\n[training]\nepochs = 1\n[evaluation]\nmetrics = [\"rmse\"]\n"
    );
    let (result, events) = attempt(None, &text, None);
    let summary = result.unwrap();
    assert!(summary.metrics["rmse"] < 1.5, "{:?}", summary.metrics);
    let of_component =
        |event: &EventKind| matches!(event, EventKind::Metric { name, .. } if name == "loss of component 1");
    assert!(events.iter().any(of_component));
    let diverging = text.replace("epochs = 1", "epochs = 1\noptimizer = \"sgd\"\nlearning_rate = 1000.0");
    let failure = attempt(None, &diverging, None).0.unwrap_err();
    assert_eq!(failure.code, FailureCode::Diverged);
    assert!(failure.cause.starts_with("In recommender.components[1]"), "{failure}");
}

#[test]
fn cold_items_are_ranked_among_themselves_where_there_are_some() {
    let run = |split: &str, kind: &str| {
        let text = format!(
            "{FRAME}[split]\nkind = \"{split}\"\n[recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = [\"recall@10\"]\ncandidates = \"cold\"\n"
        );
        attempt(None, &text, None).0
    };
    let content = run("cold-items", "content-tfidf").unwrap();
    let popular = run("cold-items", "popularity").unwrap();
    assert!(content.evaluation.candidate_items < content.data.items / 2, "{}", content.evaluation.candidate_items);
    assert_eq!(content.evaluation.cold_item_rows, content.data.test, "nothing else is tested");
    assert!(content.metrics["recall@10"] > popular.metrics["recall@10"], "{:?}", content.metrics);
    let refused = attempt(
        Some(TINY),
        &format!(
            "{FRAME}[split]\nkind = \"contiguous-fold\"\nfolds = 2\n[recommender]\nkind = \"popularity\"\n[evaluation]\nmetrics = [\"recall@10\"]\ncandidates = \"cold\"\n"
        ),
        None,
    );
    let failure = refused.0.unwrap_err();
    assert!(failure.cause.contains("split.kind `cold-items`"), "{failure}");
}

#[test]
fn a_parameter_that_nothing_reads_is_told_in_the_run() {
    let text = format!(
        "{FRAME}[recommender]\nkind = \"item-knn\"\nbm25_k1 = 2.0\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 20\n"
    );
    let summary = attempt(None, &text, None).0.unwrap();
    let told = "recommender.bm25_k1 is 2, and nothing reads it: it counts only where recommender.similarity is bm25";
    assert!(summary.warnings.iter().any(|warning| warning == told), "{:?}", summary.warnings);
}
