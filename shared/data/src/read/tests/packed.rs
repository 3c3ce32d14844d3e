//! Files that are packed with gzip or zstd: read as what is in them, and what is wrong with them is said in words.

use super::super::*;
use super::{AMAZON, check_amazon, gzip, read, zstd};

#[test]
fn every_text_reads_the_same_packed_with_gzip_or_zstd() {
    for (format, text) in [
        (DataFormat::AmazonCsv, AMAZON),
        (DataFormat::Movielens, "1::10::5::978300760\n2::10::3::978300761\n"),
        (DataFormat::Recbole, "user_id:token\titem_id:token\n1\t2\n"),
        (DataFormat::Sequences, "u a b\nv b\n"),
    ] {
        let plain = read(format, text).expect(text);
        assert_eq!(read(format, gzip(text.as_bytes())).expect("gzip"), plain);
        assert_eq!(read(format, zstd(text.as_bytes())).expect("zstd"), plain);
    }
    let items = "item_id:token\tclass:token_seq\n1\ta b\n";
    assert_eq!(read_attributes(&zstd(items.as_bytes())), read_attributes(items.as_bytes()));
}

#[test]
fn the_frames_of_a_zstd_file_follow_each_other_and_skippable_ones_hold_nothing() {
    let (first, second) = AMAZON.split_at(60);
    let skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, b'a', b'b', b'c'];
    let frames = [&skippable[..], &zstd(first.as_bytes()), &skippable, &zstd(second.as_bytes())].concat();
    check_amazon(&read(DataFormat::AmazonCsv, frames).expect("frames").interactions);
}

#[test]
fn a_packed_file_that_is_cut_off_or_damaged_is_one_clear_error() {
    let lines: String = (0..20_000).map(|n| format!("u{},i{},5,{n}\n", n * 7919 % 5003, n % 977)).collect();
    for (packing, whole) in [("gzip", gzip(lines.as_bytes())), ("zstd", zstd(lines.as_bytes()))] {
        let error = read(DataFormat::AmazonCsv, &whole[..whole.len() / 2]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the {packing} file is cut off or damaged after ")), "{error}");
        let mut damaged = whole;
        let middle = damaged.len() / 2;
        damaged[middle..middle + 64].fill(0xaa);
        assert!(matches!(read(DataFormat::AmazonCsv, damaged), Err(ReadError::Packed { .. })), "{packing}");
    }
    let mut cut_in_a_skippable_frame = zstd(AMAZON.as_bytes());
    cut_in_a_skippable_frame.extend([0x5a, 0x2a, 0x4d, 0x18, 200, 0, 0, 0]);
    assert!(matches!(read(DataFormat::AmazonCsv, cut_in_a_skippable_frame), Err(ReadError::Packed { .. })));
}

#[test]
fn a_packed_file_that_is_cut_off_says_how_much_came_out_before() {
    let inflated = |packed: &[u8]| match read(DataFormat::AmazonCsv, packed) {
        Err(ReadError::Packed { inflated, .. }) => inflated as usize,
        other => panic!("{other:?}"),
    };
    // Less than a block of 128 KiB that zstd packs at once, and more than eight of them.
    for count in [2_000, 60_000] {
        let lines: String = (0..count).map(|n| format!("u{},i{},5,{n}\n", n * 7919 % 5003, n % 977)).collect();
        for (packing, whole) in [("gzip", gzip(lines.as_bytes())), ("zstd", zstd(lines.as_bytes()))] {
            // Only the checksum lacks a byte.
            assert_eq!(inflated(&whole[..whole.len() - 1]), lines.len(), "{packing}, {count} lines");
            if count == 60_000 {
                let (half, most) = (inflated(&whole[..whole.len() / 2]), inflated(&whole[..whole.len() * 7 / 8]));
                let told = format!("{packing}: {half} of {} bytes, then {most}", lines.len());
                // Of half of the packed bytes a block may be cut in its middle.
                assert!(half > lines.len() / 3 && half < most && most < lines.len(), "{told}");
            }
        }
    }
}

#[test]
fn what_is_wrong_with_a_packed_file_is_said_in_words_and_not_by_types_of_a_decoder() {
    let lines: String = (0..2_000).map(|n| format!("u{},i{},5,{n}\n", n * 7919 % 503, n % 97)).collect();
    let whole = zstd(lines.as_bytes());
    for end in [4, 5, 8, whole.len() / 2, whole.len() - 1] {
        let error = read(DataFormat::AmazonCsv, &whole[..end]).unwrap_err().to_string();
        let due = " unpacked bytes (unexpected end of file); fetch or copy it again";
        assert!(error.starts_with("the zstd file is cut off or damaged after ") && error.ends_with(due), "{error}");
    }
    let mut corrupt = 0;
    for at in 4..200 {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        if let Err(ReadError::Packed { cause, .. }) = read(DataFormat::AmazonCsv, &damaged) {
            corrupt += u32::from(cause == "corrupt zstd frame");
            assert!(!cause.contains(['{', '(', '_', ':']) && !cause.contains("Error"), "byte {at}: {cause}");
        }
    }
    assert!(corrupt > 0, "no damage was found");
}

#[test]
fn a_decompression_bomb_is_stopped_at_its_limit() {
    let blank = vec![b'\n'; 100 << 20];
    for (packing, bomb) in [("gzip", gzip(&blank)), ("zstd", zstd(&blank))] {
        assert_eq!(
            read(DataFormat::AmazonCsv, &bomb),
            Err(ReadError::TooLargeUnpacked { packing, packed: bomb.len() as u64, limit: 64 << 20 })
        );
    }
    let limits = ReadLimits { max_inflated_bytes: 10, ..ReadLimits::default() };
    let error = read_ratings(DataFormat::AmazonCsv, &gzip(AMAZON.as_bytes()), limits).unwrap_err().to_string();
    assert!(error.contains("unpacks to more than the allowed 10 bytes"), "{error}");
}

#[test]
fn the_beginning_of_a_packed_file_unpacks_to_the_beginning_of_what_is_in_it() {
    let lines: String = (0..60_000).map(|n| format!("u{},i{},5,{n}\n", n * 7919 % 5003, n % 977)).collect();
    let text = lines.as_bytes();
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, b'a', b'b', b'c'][..], &zstd(text)].concat();
    for (packing, whole) in [("gzip", gzip(text)), ("zstd", zstd(text)), ("zstd behind a skippable frame", skippable)] {
        let start = &whole[..whole.len().min(PACKED_START as usize)];
        assert!(start.len() < whole.len(), "{packing}: {} bytes are no beginning", whole.len());
        let told = unpack_start(start, 4096).expect("packed");
        assert_eq!(told, text[..4096], "{packing}");
        assert_eq!(unpack_start(&whole[..8], 4096), Some(Vec::new()), "{packing}: of too little nothing comes");
    }
    for (packing, whole) in [("gzip", gzip(AMAZON.as_bytes())), ("zstd", zstd(AMAZON.as_bytes()))] {
        assert_eq!(unpack_start(&whole, 4096).as_deref(), Some(AMAZON.as_bytes()), "{packing}: all of it");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            // Whatever comes of it, it is no panic and no more than asked for.
            let told = unpack_start(&damaged, 20).unwrap_or_default();
            assert!(told.len() <= 20, "{packing} {at}: {told:?}");
        }
    }
    assert_eq!(unpack_start(AMAZON.as_bytes(), 4096), None);
    assert_eq!(unpack_start(b"", 4096), None);
}
