//! Clusters, brands and items.

use rand::Rng;

use crate::random::{bell, below, unit};

/// Length of a taste vector.
pub(super) const DIMENSIONS: usize = 8;

/// Top-level categories.
pub(super) const CATEGORIES: usize = 12;

/// A taste vector.
pub(super) type Taste = [f32; DIMENSIONS];

/// Brands that sell in one cluster.
const BRANDS_A_CLUSTER: u64 = 6;

/// What there is to buy.
pub(super) struct World {
    /// Taste of each cluster; cluster `c` belongs to category `c % CATEGORIES`.
    pub(super) centre: Vec<Taste>,
    /// Running sums of the clusters' attraction, `[clusters]`.
    attraction: Vec<f64>,
    brand_taste: Vec<Taste>,
    /// Where each cluster's items begin, `[clusters + 1]`; best sellers first. Filled by [`Self::stock`].
    pub(super) items_of: Vec<usize>,
    /// Running sums of the sales weights 1 / (rank + 1.5), by rank in a cluster.
    sales: Vec<f64>,
    pub(super) item_taste: Vec<Taste>,
    pub(super) item_brand: Vec<u32>,
    pub(super) item_quality: Vec<f32>,
    pub(super) item_cluster: Vec<u32>,
}

pub(super) fn dot(a: &Taste, b: &Taste) -> f32 {
    let mut sum = 0.0;
    for (x, y) in a.iter().zip(b) {
        sum += x * y;
    }
    sum
}

/// `a·x + b·y + c·bell`, element by element.
fn blend(a: f32, x: &Taste, b: f32, y: &Taste, c: f32, rng: &mut impl Rng) -> Taste {
    std::array::from_fn(|at| a * x[at] + b * y[at] + c * bell(rng))
}

fn random_taste(rng: &mut impl Rng) -> Taste {
    std::array::from_fn(|_| bell(rng))
}

impl World {
    /// Clusters and brands for about `items` items.
    pub(super) fn new(items: usize, rng: &mut impl Rng) -> Self {
        let clusters = (items / 60).clamp(CATEGORIES, 600);
        let brands = (items / 40).clamp(2 * CATEGORIES, 6_000);
        let category: Vec<Taste> = (0..CATEGORIES).map(|_| random_taste(rng)).collect();
        let none = [0.0; DIMENSIONS];
        let centre = (0..clusters).map(|c| blend(0.7, &category[c % CATEGORIES], 0.0, &none, 0.7, rng)).collect();
        let brand_taste = (0..brands).map(|_| random_taste(rng)).collect();
        Self {
            centre,
            attraction: running_sums((0..clusters).map(|c| 1.0 / (c as f64 + 5.0))),
            brand_taste,
            items_of: Vec::new(),
            sales: Vec::new(),
            item_taste: Vec::new(),
            item_brand: Vec::new(),
            item_quality: Vec::new(),
            item_cluster: Vec::new(),
        }
    }

    /// A cluster, drawn by attraction.
    pub(super) fn any_cluster(&self, rng: &mut impl Rng) -> u32 {
        draw(&self.attraction, rng) as u32
    }

    /// A cluster of the same category, drawn by attraction among a few tries.
    pub(super) fn related_cluster(&self, cluster: u32, rng: &mut impl Rng) -> u32 {
        for _ in 0..24 {
            let other = self.any_cluster(rng);
            if other != cluster && other as usize % CATEGORIES == cluster as usize % CATEGORIES {
                return other;
            }
        }
        self.any_cluster(rng)
    }

    /// Fills the clusters with items in proportion to the rows that fall on each; none gets more items than rows.
    pub(super) fn stock(&mut self, rows_of: &[usize], items: usize, rng: &mut impl Rng) {
        let rows: usize = rows_of.iter().sum();
        let mut counts: Vec<usize> =
            rows_of.iter().map(|&n| (n as u64 * items as u64 / rows as u64) as usize).collect();
        let mut left = items - counts.iter().sum::<usize>();
        while left > 0 {
            for (count, &rows) in counts.iter_mut().zip(rows_of) {
                if left > 0 && *count < rows {
                    *count += 1;
                    left -= 1;
                }
            }
        }
        self.items_of = vec![0];
        for (cluster, &count) in counts.iter().enumerate() {
            self.items_of.push(self.items_of[cluster] + count);
        }
        self.sales = running_sums((0..counts.iter().copied().max().unwrap_or(0)).map(|rank| 1.0 / (rank as f64 + 1.5)));
        let brands_a_category = self.brand_taste.len() / CATEGORIES;
        for (cluster, &count) in counts.iter().enumerate() {
            let category = cluster % CATEGORIES;
            for rank in 0..count {
                // Brand k of a category is number k·CATEGORIES + category; a cluster's own brands follow one another.
                let nth =
                    (cluster / CATEGORIES * 2) as u64 + below(rng, BRANDS_A_CLUSTER).min(below(rng, BRANDS_A_CLUSTER));
                let brand = (nth as usize % brands_a_category) * CATEGORIES + category;
                // Best sellers tend to be good.
                let standing = 1.0 - 2.0 * rank as f32 / count as f32;
                self.item_taste.push(blend(1.0, &self.centre[cluster], 0.6, &self.brand_taste[brand], 0.4, rng));
                self.item_brand.push(brand as u32);
                self.item_quality.push(0.5 * standing + 0.8 * bell(rng));
                self.item_cluster.push(cluster as u32);
            }
        }
    }

    /// An item of a cluster, drawn by sales.
    pub(super) fn sold_item(&self, cluster: u32, rng: &mut impl Rng) -> u32 {
        let (start, end) = (self.items_of[cluster as usize], self.items_of[cluster as usize + 1]);
        (start + draw(&self.sales[..end - start], rng)) as u32
    }
}

fn running_sums(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

/// A place drawn in proportion to the weights behind the running sums; 0 where there is none.
fn draw(sums: &[f64], rng: &mut impl Rng) -> usize {
    let Some(&total) = sums.last() else { return 0 };
    let at = unit(rng) * total;
    sums.partition_point(|&sum| sum <= at).min(sums.len() - 1)
}
