use proptest::prelude::*;
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{ParamValue, RecommenderSpec};

use super::*;

fn identity() -> Identity {
    Identity::default()
        .with("recommender.factors", &8)
        .with(KIND, &"\"bpr\"")
        .with("seed", &1)
        .with(ROWS, &"00ab")
        .with(ITEMS, &"00cd")
}

/// As a fit begins what it writes.
fn state() -> Vec<u8> {
    b"RSFIT003 and the numbers of a fit".to_vec()
}

/// What is said where a checkpoint of [`identity`] is opened for another one.
fn said(other: &Identity) -> String {
    open(&seal(state(), &identity()), other).unwrap_err().to_string()
}

#[test]
fn a_state_comes_back_from_behind_its_seal() {
    for state in [state(), Vec::new()] {
        assert_eq!(open(&seal(state.clone(), &identity()), &identity()), Ok(&state[..]));
    }
}

#[test]
fn what_differs_is_told_by_its_name_in_the_spec() {
    let another = "the checkpoint does not continue this fit: it belongs to another spec or other data: ";
    let data = "the checkpoint does not continue this fit: it belongs to other data: ";
    let end = "; take another one, or start again without it";
    let own = identity;
    for (other, head, told) in [
        (own().with("seed", &2), another, "seed = 1, here 2"),
        (own().with("recommender.factors", &9), another, "recommender.factors = 8, here 9"),
        (own().with("training.epochs", &3), another, "training.epochs = nothing, here 3"),
        (own().with(ITEMS, &"00ce"), data, "other item attributes (dataset.items, [features])"),
        (own().with(USERS, &"none"), data, "other user attributes (dataset.users, [features])"),
        (
            own().with(ROWS, &"00ac").with(ITEMS, &"00ce"),
            data,
            "as many training rows, but other users, items, ratings or times, or in another order; other item attributes \
             (dataset.items, [features])",
        ),
        // Another seed splits otherwise, which goes without saying; a file of attributes has nothing to do with it.
        (
            own().with("seed", &2).with(ROWS, &"00ac").with(ITEMS, &"00ce"),
            another,
            "seed = 1, here 2; other item attributes (dataset.items, [features])",
        ),
    ] {
        assert_eq!(said(&other), format!("{head}{told}{end}"));
    }
    assert_eq!(
        said(&own().with(KIND, &"\"warp\"").with("recommender.factors", &9).with("seed", &2)),
        format!(
            "the checkpoint does not continue this fit: it belongs to another recommender: recommender.kind = \"bpr\", here \
             \"warp\"{end}"
        )
    );
    assert!(said(&own().with_network("a network")).contains("another version of the lab"));
}

#[test]
fn of_a_component_of_another_kind_only_the_kind_is_told_and_of_many_settings_some() {
    let at = |setting: &str| format!("recommender.components[1].{setting}");
    let own = identity().with(&at("kind"), &"\"bpr\"").with(&at("factors"), &8);
    let other = identity().with(&at("kind"), &"\"ease\"").with(&at("l2"), &3);
    let told = open(&seal(state(), &own), &other).unwrap_err().to_string();
    assert!(told.contains(": recommender.components[1].kind = \"bpr\", here \"ease\";"), "{told}");
    let many = (0..20).fold(identity(), |all, nth| all.with(&format!("recommender.n{nth:02}"), &nth));
    let told = said(&many);
    assert!(told.contains("recommender.n07 = nothing, here 7; and 12 more;"), "{told}");
}

#[test]
fn long_values_that_differ_at_their_ends_are_two_identities_and_told_where_they_differ() {
    let names = |last: &str| {
        let names = (0..12).map(|nth| format!("attribute number {nth}")).chain([last.to_owned()]).collect();
        let spec = RecommenderSpec::new("fm").with("item_attributes", ParamValue::Names(names));
        let spec = ExperimentSpec { recommender: spec, ..ExperimentSpec::default() };
        Identity::default().with_recommender(&spec.resolve().expect("a spec").recommender, &[])
    };
    let (colour, size) = (names("colour"), names("size"));
    assert_eq!(open(&seal(state(), &colour), &colour), Ok(&state()[..]));
    let told = open(&seal(state(), &colour), &size).unwrap_err().to_string();
    assert!(told.contains("colour\"], here …") && told.contains("size\"];") && told.len() < 400, "{told}");
    let long = "x".repeat(100);
    let [one, other] = ["a", "b"].map(|end| names(&format!("{long}{end}")));
    assert!(open(&seal(state(), &one), &other).is_err(), "what people are shown of a name is the same");
    assert_ne!(names("two\nlines"), names("two lines"));
}

#[test]
fn what_is_no_checkpoint_is_called_what_it_is() {
    let text = format!("{}\n", "é".repeat(LOOK));
    for (bytes, told) in [
        (&b"user_id:token\n1"[..], "is not a checkpoint of this lab (it is text that begins with `user_id:token`);"),
        (b"", "is not a checkpoint of this lab (it is empty);"),
        (b" \n\n", "is not a checkpoint of this lab (it is text of blanks alone);"),
        (b"\x1f\x8b\x08\x00\x01", "is not a checkpoint of this lab (it begins with the bytes 1f 8b 08 00);"),
        (b"\x00", "is not a checkpoint of this lab (it begins with the bytes 00);"),
        // Cut within a character.
        (&text.as_bytes()[..LOOK - 1], "(it is text that begins with `éé"),
        (b"recsnn04 and more", "is a checkpoint of an earlier version of the lab, which this version does not read;"),
        (b"state, words, RSOWNER1", "is a checkpoint of an earlier version of the lab"),
        (b"something RSHYB003", "is a checkpoint of an earlier version of the lab"),
        (b"RSFIT003 and more", "is damaged: it is cut off"),
        (b"recsnn05 and more", "is damaged: it is cut off"),
    ] {
        let said = open(bytes, &identity()).unwrap_err();
        let unnamed = said.to_string();
        assert!(unnamed.contains(told), "{unnamed}");
        assert!(unnamed.ends_with("; take another one, or start again without it"), "{unnamed}");
        let named = said.of_file("kept/x.bin").to_string();
        assert!(named.starts_with("the file kept/x.bin is ") && named.contains(told), "{named}");
    }
}

proptest! {
    #[test]
    fn a_damaged_checkpoint_is_refused(at in 0usize..400, flip in 1u8..=255, cut in 0usize..400) {
        let whole = seal(state(), &identity());
        let mut flipped = whole.clone();
        let at = at % flipped.len();
        flipped[at] ^= flip;
        // One flip makes the end that of an earlier version.
        prop_assume!(!flipped.ends_with(b"RSOWNER1"));
        let said = open(&flipped, &identity()).unwrap_err().to_string();
        prop_assert!(said.contains("damaged") && said.contains("take another one"), "{}", said);
        prop_assert!(open(&whole[..cut % whole.len()], &identity()).is_err());
    }

    #[test]
    fn rubbish_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(open(&bytes, &identity()).is_err());
        prop_assert!(look(&bytes, &bytes).is_err());
    }
}
