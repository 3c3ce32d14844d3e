//! A hybrid's checkpoint belongs to the training of its networks too, whichever component it is of.

mod desk;

use recspeed_types::FailureCode;

use desk::attempt_from;

fn spec(training: &str) -> String {
    format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 2000\n[recommender]\n\
         kind = \"weighted\"\n[[recommender.components]]\nkind = \"mlp\"\nhidden = [4]\n[[recommender.components]]\n\
         kind = \"bpr\"\nfactors = 4\niterations = 3\n[training]\n{training}\n[evaluation]\nmetrics = [\"ndcg@5\"]\n\
         max_users = 50\n"
    )
}

#[test]
fn a_checkpoint_behind_a_network_is_refused_where_that_is_trained_otherwise() {
    let own = spec("epochs = 1");
    let (whole, checkpoint) = attempt_from(None, &own, None);
    let whole = whole.expect("it goes to its end");
    // The last one is that of the second component: the network will be trained again.
    let checkpoint = checkpoint.expect("a fit in iterations leaves one");
    let (again, _) = attempt_from(Some(checkpoint.clone()), &own, None);
    assert_eq!(again.expect("it is its own").metrics, whole.metrics);
    for (training, told) in [
        ("epochs = 2", "training.epochs = 1, here 2;"),
        ("epochs = 1\nlearning_rate = 0.01", "training.learning_rate = 0.001, here 0.01;"),
    ] {
        let failure = attempt_from(Some(checkpoint.clone()), &spec(training), None).0.expect_err("it is another");
        assert_eq!(failure.code, FailureCode::Checkpoint, "{failure}");
        assert!(failure.cause.contains(told) && !failure.cause.contains("bpr"), "{failure}");
    }
}
