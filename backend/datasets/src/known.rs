//! Files of public data sets, as people keep them: known by their names and sizes, without a look at more than that.

use recspeed_types::api::FileOrigin;
use recspeed_types::builtin::PUBLIC_DATASETS;

/// A file of a public data set.
#[derive(Debug)]
pub(crate) struct KnownFile {
    /// Names that it goes by.
    names: &'static [&'static str],
    /// Its bytes, from and to: another file of the same name is not taken for it.
    bytes: (u64, u64),
    /// The name for people.
    pub(crate) title: &'static str,
    /// Files of item attributes that may lie beside it, the best first.
    pub(crate) items: &'static [&'static str],
    /// How published numbers are measured on it, in a sentence or two.
    protocol: &'static str,
    origin: Origin,
}

/// Who made the data.
#[derive(Debug)]
enum Origin {
    /// As that of a data set that `recspeed data fetch` brings.
    Public(&'static str),
    /// Source, licence and citation.
    Own(&'static str, &'static str, &'static str),
}

/// How published numbers are measured on MovieLens-100K.
const MOVIELENS_100K: &str = "Published errors of ratings hold out a fifth of the file (u1 to u5: split.kind \
                              contiguous-fold, 5 folds); published rankings each user's first 10 ratings (ua: \
                              per-user-first-n).";

/// The files.
static KNOWN: &[KnownFile] = &[
    KnownFile {
        names: &["ml-100k.inter"],
        // The 1,979,173 bytes of u.data below the line with the names of the columns.
        bytes: (1_979_230, 1_979_230),
        title: "MovieLens 100K",
        items: &[],
        protocol: MOVIELENS_100K,
        origin: Origin::Public("movielens-100k"),
    },
    KnownFile {
        names: &["u.data"],
        bytes: (1_979_173, 1_979_173),
        title: "MovieLens 100K",
        items: &[],
        protocol: MOVIELENS_100K,
        origin: Origin::Public("movielens-100k"),
    },
    KnownFile {
        names: &["beauty-5core-sequences.txt", "Beauty.txt"],
        bytes: (1_090_094, 1_090_094),
        title: "Amazon Beauty, 5-core",
        items: &["beauty-5core-item-attributes.json", "Beauty_item2attributes.json"],
        protocol: "It has no ratings: rank items. Published rankings hold out each user's last item for the test and the \
                   one before for validation (split.kind leave-last-out with validation).",
        origin: Origin::Own(
            "Julian McAuley, Amazon product data; users and items with five rows or more, as prepared for S3-Rec",
            "For research; see the owner's page",
            "McAuley, Targett, Shi, van den Hengel: Image-Based Recommendations on Styles and Substitutes. SIGIR 2015, \
             doi:10.1145/2766462.2767755; Zhou et al.: S3-Rec. CIKM 2020, arXiv:2008.07873",
        ),
    },
    KnownFile {
        names: &["ratings_Beauty.csv"],
        // 2,023,070 lines of about 40 bytes, with `5` or `5.0` and with or without a comma at the end.
        bytes: (70_000_000, 100_000_000),
        title: "Amazon Beauty ratings, 1998 to 2014",
        items: &[],
        protocol: "Most people have rated one product only; published numbers are mostly measured on its 5-core.",
        origin: Origin::Public("amazon-beauty"),
    },
];

impl KnownFile {
    /// The public file of this name and so many bytes.
    pub(crate) fn find(name: &str, bytes: u64) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.names.contains(&name) && (known.bytes.0..=known.bytes.1).contains(&bytes))
    }

    /// Who made it, what they allow, how it is cited and used.
    pub(crate) fn origin(&self) -> FileOrigin {
        let (source, licence, citation) = match self.origin {
            Origin::Own(source, licence, citation) => (source, licence, citation),
            Origin::Public(id) => PUBLIC_DATASETS
                .iter()
                .find(|entry| entry.id == id)
                .map_or(("", "", ""), |entry| (entry.source, entry.licence, entry.citation)),
        };
        FileOrigin {
            source: source.to_owned(),
            licence: licence.to_owned(),
            citation: citation.to_owned(),
            protocol: self.protocol.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_file_has_its_source_licence_citation_and_protocol() {
        for known in KNOWN {
            let FileOrigin { source, licence, citation, protocol } = known.origin();
            for told in [source, licence, citation, protocol] {
                assert!(!told.is_empty(), "{}", known.title);
            }
        }
    }

    #[test]
    fn a_file_of_the_same_name_and_another_size_is_not_taken_for_a_known_one() {
        assert_eq!(KnownFile::find("u.data", 1_979_173).map(|known| known.title), Some("MovieLens 100K"));
        assert!(KnownFile::find("u.data", 1_979_172).is_none());
        assert!(KnownFile::find("ratings_Beauty.csv", 1_244_113).is_none(), "a part of it");
        assert!(KnownFile::find("other.data", 1_979_173).is_none());
    }
}
