//! Data sets that the lab makes or knows: names, sizes, sources, licences, citations.

/// A data set that the lab makes from the seed.
#[derive(Debug, PartialEq)]
pub struct BuiltinDataset {
    /// The name as written in a spec.
    pub id: &'static str,
    /// The name for people; says that it is synthetic.
    pub title: &'static str,
    /// What it is, in a sentence or two.
    pub summary: &'static str,
    /// Rows.
    pub rows: u32,
    /// Distinct users.
    pub users: u32,
    /// Distinct items.
    pub items: u32,
}

/// Marginals of the real Amazon Beauty ratings, which the synthetic sets repeat: shares of 1 to 5 stars.
pub const BEAUTY_STAR_SHARES: [f64; 5] = [0.091, 0.056, 0.084, 0.152, 0.617];

/// Where the marginals of the synthetic Beauty sets come from.
pub const BEAUTY_SYNTHETIC_SOURCE: &str = "Made by Recspeed from the experiment's seed, with the marginals of the Amazon Beauty ratings (McAuley et al., 2015).";

/// Licence of the synthetic sets.
pub const BEAUTY_SYNTHETIC_LICENCE: &str = "CC0: made-up numbers, free for any use";

/// The built-in data sets, smallest first.
pub static BUILTIN_DATASETS: &[BuiltinDataset] = &[
    BuiltinDataset {
        id: "beauty-synthetic-10k",
        title: "Beauty, synthetic, 10 thousand",
        summary: "10,000 made-up ratings in the image of Amazon Beauty: the size of the paper's first experiment.",
        rows: 10_000,
        users: 2_400,
        items: 1_500,
    },
    BuiltinDataset {
        id: "beauty-synthetic-100k",
        title: "Beauty, synthetic, 100 thousand",
        summary: "100,000 made-up ratings in the image of Amazon Beauty: enough to tell methods apart in seconds.",
        rows: 100_000,
        users: 24_000,
        items: 8_000,
    },
    BuiltinDataset {
        id: "beauty-synthetic",
        title: "Beauty, synthetic, 2 million",
        summary: "2,023,070 made-up ratings: as many users and items as the real Amazon Beauty file, and very nearly its stars and its years.",
        rows: 2_023_070,
        users: 1_210_271,
        items: 249_274,
    },
];

/// The built-in data set of this name.
pub fn find(id: &str) -> Option<&'static BuiltinDataset> {
    BUILTIN_DATASETS.iter().find(|d| d.id == id)
}

/// Every name.
pub fn ids() -> Vec<&'static str> {
    BUILTIN_DATASETS.iter().map(|d| d.id).collect()
}

/// A public data set that `recspeed data fetch` can bring.
#[derive(Debug)]
pub struct PublicDataset {
    /// The name for `recspeed data fetch NAME`.
    pub id: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Public address.
    pub url: &'static str,
    /// SHA-256 of the owner's file, where it is known beyond doubt.
    pub sha256: Option<&'static str>,
    /// Format of the ratings file, as in a spec.
    pub format: crate::spec::DataFormat,
    /// Who made it and where it is described.
    pub source: &'static str,
    /// What its owners allow.
    pub licence: &'static str,
    /// How to cite it.
    pub citation: &'static str,
}

/// The public data sets, by name. Where no checksum of the owner's file is known, the first fetch records one, and every later
/// fetch is held against it.
pub static PUBLIC_DATASETS: &[PublicDataset] = &[
    PublicDataset {
        id: "amazon-beauty",
        title: "Amazon Beauty ratings, 1998 to 2014",
        url: "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/ratings_Beauty.csv",
        sha256: None,
        format: crate::spec::DataFormat::AmazonCsv,
        source: "Julian McAuley, Amazon product data",
        licence: "For research; see the owner's page",
        citation: "McAuley, Targett, Shi, van den Hengel: Image-Based Recommendations on Styles and Substitutes. SIGIR 2015, doi:10.1145/2766462.2767755",
    },
    PublicDataset {
        id: "movielens-100k",
        title: "MovieLens 100K",
        url: "https://files.grouplens.org/datasets/movielens/ml-100k/u.data",
        // `u.data` of the archive whose MD5 GroupLens publishes; frozen since 1998.
        sha256: Some("06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"),
        format: crate::spec::DataFormat::Movielens,
        source: "GroupLens, University of Minnesota",
        licence: "Research use; redistribution only with permission",
        citation: "Harper, Konstan: The MovieLens Datasets: History and Context. ACM TiiS 5(4), 2015, doi:10.1145/2827872",
    },
];
