//! A link that is not whole says so; it never opens as another experiment.

mod arbitrary;

use arbitrary::page_spec;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec_zlib;
use proptest::prelude::*;
use recspeed_types::limits::{MAX_PERMALINK_CHARS, MAX_SPEC_BYTES};
use recspeed_types::{ExperimentSpec, PermalinkError, decode_permalink, encode_permalink};

fn example() -> ExperimentSpec {
    ExperimentSpec::from_toml(
        "version = 1\nname = 'A lesson on neighbours'\nseed = 7\n[dataset]\nsource = 'builtin'\n\
         id = 'beauty-synthetic-100k'\nmin_user = 5\n[split]\nkind = 'leave-last-out'\n[recommender]\n\
         kind = 'item-knn'\nneighbours = 20\nshrinkage = 12.5\n[evaluation]\nmetrics = ['ndcg@10', 'hit@10']\n",
    )
    .unwrap()
}

/// A payload of version 1 around `bytes`.
fn packed(bytes: &[u8]) -> String {
    format!("1.{}", URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(bytes, 9)))
}

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.#%=+/ \n";

#[test]
fn one_wrong_character_anywhere_is_found() {
    let spec = example();
    let link = encode_permalink(&spec).unwrap();
    for at in 0..link.len() {
        for character in ALPHABET {
            let mut bytes = link.clone().into_bytes();
            if bytes[at] == *character {
                continue;
            }
            bytes[at] = *character;
            let damaged = String::from_utf8(bytes).unwrap();
            if let Ok(opened) = decode_permalink(&damaged) {
                assert_eq!(opened, spec, "{damaged} opens as another experiment");
            }
        }
    }
}

#[test]
fn a_missing_a_repeated_or_a_swapped_character_is_found() {
    let spec = example();
    let link = encode_permalink(&spec).unwrap();
    for at in 0..link.len() {
        let mut shorter = link.clone();
        shorter.remove(at);
        let mut longer = link.clone();
        longer.insert(at, 'A');
        let mut swapped = link.clone().into_bytes();
        swapped.swap(at, (at + 1) % link.len());
        let cut = link[..at].to_owned();
        for damaged in [shorter, longer, String::from_utf8(swapped).unwrap(), cut] {
            if let Ok(opened) = decode_permalink(&damaged) {
                assert_eq!(opened, spec, "{damaged} opens as another experiment");
            }
        }
    }
}

#[test]
fn a_cut_link_is_called_damaged() {
    let link = encode_permalink(&example()).unwrap();
    for at in 0..link.len() {
        let error = decode_permalink(&link[..at]).unwrap_err();
        assert!(matches!(error, PermalinkError::Damaged { .. }), "{at}: {error}");
        assert!(error.to_string().ends_with("copy it again, whole"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_link_with_one_wrong_character_fails_or_means_the_same(
        spec in page_spec(), at in any::<prop::sample::Index>(), letter in prop::sample::select(ALPHABET),
    ) {
        let link = encode_permalink(&spec).unwrap();
        let whole = decode_permalink(&link).unwrap();
        let mut bytes = link.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = letter;
        if let Ok(opened) = decode_permalink(&String::from_utf8(bytes).unwrap()) {
            prop_assert_eq!(opened, whole);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_permalink(&text);
        let _ = decode_permalink(&format!("1.{text}"));
        let _ = decode_permalink(&format!("1.{}", URL_SAFE_NO_PAD.encode(&payload)));
        let _ = decode_permalink(&packed(&payload));
        let _ = decode_permalink(&packed(text.as_bytes()));
    }
}

#[test]
fn a_link_of_a_later_version_asks_for_a_newer_lab() {
    let link = encode_permalink(&example()).unwrap();
    let body = link.strip_prefix("1.").unwrap();
    for version in [2, 17, u64::MAX] {
        let error = decode_permalink(&format!("{version}.{body}")).unwrap_err();
        assert_eq!(error, PermalinkError::LaterVersion { version });
        assert!(error.to_string().contains("this lab opens links up to version 1: update the lab"), "{error}");
    }
    for damaged in ["0.abc", ".abc", "-1.abc", "one.abc", "99999999999999999999.abc", "", "#x="] {
        assert!(matches!(decode_permalink(damaged), Err(PermalinkError::Damaged { .. })), "{damaged}");
    }
}

#[test]
fn a_damaged_link_is_told_in_words_and_not_by_how_it_is_packed() {
    let link = encode_permalink(&example()).unwrap();
    let nothing = packed(b"nonsense");
    for (damaged, words) in [
        ("1.~~~", "the link is damaged (characters are missing or changed); copy it again, whole"),
        (nothing.as_str(), "the link is damaged (characters are missing or changed); copy it again, whole"),
        (&link[..link.len() - 3], "the link is damaged (characters are missing or changed); copy it again, whole"),
        ("abc", "the link is damaged (its beginning is missing or changed); copy it again, whole"),
    ] {
        assert_eq!(decode_permalink(damaged).unwrap_err().to_string(), words, "{damaged}");
    }
}

#[test]
fn a_decompression_bomb_is_not_unpacked() {
    // 4 MB of spaces pack into a link of ordinary length.
    let bomb = packed(&vec![b' '; 4 << 20]);
    assert!(bomb.len() < MAX_PERMALINK_CHARS, "{}", bomb.len());
    assert_eq!(decode_permalink(&bomb).unwrap_err(), PermalinkError::TooLarge);
    assert_eq!(decode_permalink(&packed(&vec![b' '; MAX_SPEC_BYTES + 1])).unwrap_err(), PermalinkError::TooLarge);
    let long = "A".repeat(MAX_PERMALINK_CHARS + 1);
    assert_eq!(decode_permalink(&long).unwrap_err(), PermalinkError::TooLong { chars: long.len() });
    let nested = packed(format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000)).as_bytes());
    assert!(matches!(decode_permalink(&nested), Err(PermalinkError::Damaged { .. })));
}

#[test]
fn a_whole_link_with_another_content_says_which_field_is_wrong() {
    for (content, expected) in [
        (r#"{"colour":"red"}"#, "colour"),
        (r#"{"seed":"x"}"#, "seed"),
        (r#"{"dataset":null}"#, "dataset"),
        ("[1]", "the link holds no spec"),
        ("null", "the link holds no spec"),
    ] {
        let error = decode_permalink(&packed(content.as_bytes())).unwrap_err();
        assert!(matches!(error, PermalinkError::Spec(_)), "{content}: {error}");
        assert!(error.to_string().contains(expected), "{content}: {error}");
    }
}

#[test]
fn a_spec_that_no_link_holds_is_told_when_the_link_is_made() {
    // Names that packing cannot shorten.
    let mut state = 7_u64;
    let mut name = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{state:016x}")
    };
    let attributes: Vec<String> = std::iter::repeat_with(&mut name).take(1_000).collect();
    let mut spec = example();
    spec.recommender =
        serde_json::from_value(serde_json::json!({ "kind": "content-tfidf", "attributes": attributes })).unwrap();
    let error = encode_permalink(&spec).unwrap_err();
    assert!(matches!(error, PermalinkError::SpecTooLong { chars } if chars > MAX_PERMALINK_CHARS), "{error}");
}
