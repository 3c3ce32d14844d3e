//! What the shop says about an item: category, type, brand, title words, price.

use rand::Rng;

use super::world::{CATEGORIES, World};
use crate::attributes::{AttributeColumn, AttributeValues, Attributes};
use crate::dictionary::{Dictionary, DictionaryBuilder};
use crate::random::{below, unit};

const CATEGORY: [&str; CATEGORIES] = [
    "Skin Care",
    "Hair Care",
    "Makeup",
    "Fragrance",
    "Nails",
    "Bath",
    "Sun Care",
    "Shaving",
    "Oral Care",
    "Tools",
    "Lips",
    "Eyes",
];

/// Product words of each category.
const PRODUCTS: [[&str; 8]; CATEGORIES] = [
    ["cream", "serum", "cleanser", "toner", "mask", "moisturizer", "peel", "lotion"],
    ["shampoo", "conditioner", "oil", "spray", "gel", "dye", "wax", "treatment"],
    ["foundation", "powder", "blush", "primer", "concealer", "bronzer", "palette", "highlighter"],
    ["perfume", "cologne", "mist", "roll-on", "attar", "sampler", "body-spray", "solid-perfume"],
    ["polish", "topcoat", "file", "stickers", "remover", "lamp", "cuticle-oil", "clipper"],
    ["soap", "bath-salt", "shower-gel", "sponge", "bubble-bath", "scrub", "body-butter", "bath-bomb"],
    ["sunscreen", "after-sun", "self-tanner", "sun-stick", "sun-oil", "sun-spray", "zinc-cream", "sun-gel"],
    ["razor", "shaving-cream", "aftershave", "blades", "shaving-brush", "trimmer", "shaving-soap", "balm"],
    ["toothpaste", "mouthwash", "floss", "whitening-kit", "toothbrush", "tongue-cleaner", "pick", "rinse"],
    ["brush-set", "curler", "straightener", "dryer", "mirror", "tweezers", "comb", "bag"],
    ["lipstick", "lip-gloss", "lip-liner", "lip-balm", "lip-stain", "lip-scrub", "lip-plumper", "lip-oil"],
    ["mascara", "eyeliner", "eyeshadow", "brow-pencil", "lashes", "eye-cream", "eye-patch", "brow-gel"],
];

/// What tells clusters with one product apart.
const QUALIFIERS: [&str; 7] = ["daily", "organic", "intensive", "sensitive", "professional", "travel", "men"];

/// Words that mean nothing.
const FILLERS: [&str; 16] = [
    "new", "set", "best", "value", "ounce", "pack", "natural", "premium", "original", "fresh", "pure", "classic",
    "gift", "mini", "large", "formula",
];

/// Share of items that the shop files under a wrong type.
const MISFILED: f64 = 0.08;

const SYLLABLES: [&str; 16] =
    ["lu", "mo", "ra", "vel", "sa", "ni", "bel", "ka", "dor", "ti", "eva", "os", "lin", "pu", "re", "zan"];

/// The attributes of items given by their numbers in the world; row `i` belongs to id `i`.
pub(super) fn of(world: &World, items: &[u32], ids: Dictionary, rng: &mut impl Rng) -> Attributes {
    let mut categories = (DictionaryBuilder::default(), Vec::with_capacity(items.len()));
    let mut types = (DictionaryBuilder::default(), Vec::with_capacity(items.len()));
    let mut brands = (DictionaryBuilder::default(), Vec::with_capacity(items.len()));
    let mut titles = (DictionaryBuilder::default(), vec![0], Vec::new());
    let mut price = Vec::with_capacity(items.len());
    for &item in items {
        let item = item as usize;
        let mut cluster = world.item_cluster[item] as usize;
        if unit(rng) < MISFILED {
            cluster = below(rng, world.centre.len() as u64) as usize;
        }
        let (category, nth) = (cluster % CATEGORIES, cluster / CATEGORIES);
        let product = PRODUCTS[category][nth % 8];
        let qualifier = QUALIFIERS[nth / 8 % QUALIFIERS.len()];
        let brand = brand_name(world.item_brand[item]);
        categories.1.push(categories.0.intern(CATEGORY[category]));
        types.1.push(types.0.intern(&format!("{qualifier} {product}")));
        brands.1.push(brands.0.intern(&brand));
        let mut say = |word: &str| titles.2.push(titles.0.intern(word));
        say(&brand.to_lowercase());
        if unit(rng) < 0.7 {
            say(qualifier);
        }
        if unit(rng) < 0.9 {
            say(product);
        }
        for _ in 0..2 {
            say(FILLERS[below(rng, FILLERS.len() as u64) as usize]);
        }
        titles.1.push(titles.2.len());
        // A brand has its price level; cents make no difference to it.
        let level = 4.0 + (world.item_brand[item] % 17) as f32 * 2.5;
        price.push(level + below(rng, 600) as f32 / 100.0);
    }
    let token = |name: &str, (vocabulary, word): (DictionaryBuilder, Vec<u32>)| AttributeColumn {
        name: name.to_owned(),
        values: AttributeValues::Token { vocabulary: vocabulary.finish(), word },
    };
    let (vocabulary, indptr, words) = titles;
    let title = AttributeValues::TokenSeq { vocabulary: vocabulary.finish(), indptr, words };
    Attributes {
        ids,
        columns: vec![
            token("category", categories),
            token("type", types),
            token("brand", brands),
            AttributeColumn { name: "title".to_owned(), values: title },
            AttributeColumn { name: "price".to_owned(), values: AttributeValues::Float(price) },
        ],
    }
}

/// A name for a brand number.
fn brand_name(number: u32) -> String {
    let mut name = String::new();
    let mut rest = number as usize;
    for _ in 0..3 {
        name.push_str(SYLLABLES[rest % 16]);
        rest /= 16;
    }
    if rest > 0 {
        name.push_str(SYLLABLES[rest % 16]);
    }
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
