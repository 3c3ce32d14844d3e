//! How like each other people are, kept so that the rows of some can be made anew.

use recspeed_data::Csr;

/// The users whom somebody is like, ascending, and how much.
pub(super) type Row = Vec<(u32, f32)>;

/// Readers × users, similarities above 0, in groups of readers: where some get other rows, their groups alone are
/// written anew. Never are there two of what takes most of the memory.
#[derive(Debug)]
pub(super) struct Similarities {
    /// Readers of a group; the last one may have fewer.
    size: usize,
    groups: Vec<Csr>,
    nnz: usize,
}

impl Similarities {
    /// Nobody is like anybody.
    pub(super) fn none(n_readers: usize, size: usize) -> Self {
        let empty = |start: usize| Csr { indptr: vec![0; size.min(n_readers - start) + 1], ..Csr::default() };
        Self { size, groups: (0..n_readers).step_by(size).map(empty).collect(), nnz: 0 }
    }

    /// All in one group, without a copy.
    pub(super) fn of(all: Csr) -> Self {
        Self { size: all.n_rows().max(1), nnz: all.nnz(), groups: vec![all] }
    }

    /// The users whom a reader is like, ascending, and how much.
    #[inline]
    pub(super) fn row(&self, reader: usize) -> (&[u32], &[f32]) {
        self.groups[reader / self.size].row(reader % self.size)
    }

    /// Number of similarities.
    pub(super) const fn nnz(&self) -> usize {
        self.nnz
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        self.groups.iter().map(|group| size_of_val(&group.indptr[..]) + 8 * group.nnz()).sum()
    }

    /// Gives these readers, ascending, other rows.
    pub(super) fn replace(&mut self, readers: &[usize], mut rows: &[Row]) {
        let size = self.size;
        for together in readers.chunk_by(|a, b| a / size == b / size) {
            let (own, others) = rows.split_at(together.len());
            rows = others;
            let group = &mut self.groups[together[0] / size];
            self.nnz -= group.nnz();
            *group = with_rows(group, together.iter().map(|reader| reader % size).zip(own));
            self.nnz += group.nnz();
        }
    }

    /// All in one matrix.
    pub(super) fn joined(&self) -> Csr {
        let mut all = Csr { indptr: vec![0], ..Csr::default() };
        all.indices.reserve_exact(self.nnz);
        all.values.reserve_exact(self.nnz);
        for group in &self.groups {
            let start = all.nnz();
            all.indptr.extend(group.indptr[1..].iter().map(|end| start + end));
            all.indices.extend_from_slice(&group.indices);
            all.values.extend_from_slice(&group.values);
        }
        all
    }
}

/// The group with other rows at some places, ascending.
fn with_rows<'a>(group: &Csr, others: impl Iterator<Item = (usize, &'a Row)>) -> Csr {
    let mut others = others.peekable();
    let mut all = Csr { indptr: vec![0], ..Csr::default() };
    for place in 0..group.n_rows() {
        if let Some((_, row)) = others.next_if(|(changed, _)| *changed == place) {
            all.indices.extend(row.iter().map(|(user, _)| *user));
            all.values.extend(row.iter().map(|(_, similarity)| *similarity));
        } else {
            let (users, similarities) = group.row(place);
            all.indices.extend_from_slice(users);
            all.values.extend_from_slice(similarities);
        }
        all.indptr.push(all.indices.len());
    }
    // What was taken ahead would be as much again.
    all.indptr.shrink_to_fit();
    all.indices.shrink_to_fit();
    all.values.shrink_to_fit();
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = Row> {
        prop::collection::btree_map(0u32..9, 0.1f32..1.0, 0..5).prop_map(|row| row.into_iter().collect())
    }

    fn rows_of(similarities: &Similarities, n: usize) -> Vec<Row> {
        let row = |reader| -> Row {
            let (users, values) = similarities.row(reader);
            users.iter().copied().zip(values.iter().copied()).collect()
        };
        (0..n).map(row).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn readers_who_get_other_rows_have_those_and_all_others_have_theirs(
            n in 1usize..14,
            size in 1usize..6,
            turns in prop::collection::vec(prop::collection::btree_map(0usize..14, row(), 0..8), 1..4),
        ) {
            let mut plain: Vec<Row> = vec![Row::new(); n];
            let mut grouped = Similarities::none(n, size);
            let mut whole = Similarities::of(grouped.joined());
            for turn in turns {
                let known = turn.into_iter().filter(|(reader, _)| *reader < n);
                let (readers, rows): (Vec<usize>, Vec<Row>) = known.unzip();
                readers.iter().zip(&rows).for_each(|(reader, row)| plain[*reader].clone_from(row));
                for similarities in [&mut grouped, &mut whole] {
                    similarities.replace(&readers, &rows);
                    prop_assert_eq!(&rows_of(similarities, n), &plain);
                    prop_assert_eq!(similarities.nnz(), plain.iter().map(Vec::len).sum::<usize>());
                }
            }
            prop_assert_eq!(grouped.joined(), whole.joined());
            prop_assert_eq!(rows_of(&Similarities::of(grouped.joined()), n), plain);
        }
    }
}
