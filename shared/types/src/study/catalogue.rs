//! The studies: names, titles and questions.

use super::paper;
use super::report::StudyTable;

/// A study before it is measured.
#[derive(Debug)]
pub struct Study {
    /// The name, as in `recspeed study NAME`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it asks, in one sentence.
    pub question: &'static str,
    /// What the paper printed, if it did.
    paper: Option<fn() -> StudyTable>,
}

impl Study {
    /// The paper's table; `None` where the paper has none.
    pub fn paper(&self) -> Option<StudyTable> {
        self.paper.map(|table| table())
    }

    /// The command that measures it, without options.
    pub fn command(&self) -> String {
        format!("recspeed study {}", self.name)
    }
}

/// Every study, in the order of the design.
pub static STUDIES: &[Study] = &[
    Study {
        name: "retrieval",
        title: "Retrieval",
        question: "How long does it take to read every rating back from each framework's container, and how much memory does the container hold?",
        paper: Some(paper::retrieval),
    },
    Study {
        name: "four-layer",
        title: "Four-layer network",
        question: "How long does each framework take to train the same small network on 10,000 ratings?",
        paper: Some(paper::four_layer),
    },
    Study {
        name: "pipeline-vs-sharded",
        title: "Pipeline against sharding",
        question: "Is a deep network trained faster, and in less memory, as a pipeline of stages or with its training state divided among the ranks?",
        paper: Some(paper::pipeline_vs_sharded),
    },
    Study {
        name: "methods",
        title: "Collaborative, content-based and hybrid",
        question: "Which family of recommenders predicts and ranks best on the same ratings, and what does it cost?",
        paper: None,
    },
    Study {
        name: "mixed",
        title: "Mixed architectures",
        question: "Does a pipeline gain from stages on devices of different kinds?",
        paper: None,
    },
];

/// The study of this name.
pub fn find(name: &str) -> Option<&'static Study> {
    STUDIES.iter().find(|study| study.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_addresses_and_questions_are_questions() {
        for study in STUDIES {
            assert!(study.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", study.name);
            assert!(study.question.ends_with('?'), "{}", study.question);
            assert_eq!(find(study.name).map(|found| found.title), Some(study.title));
        }
    }

    /// 80 bytes of two million ratings would be taken for their size, and a time in another unit for another number.
    #[test]
    fn what_the_paper_printed_is_shown_as_it_printed_it_and_its_bytes_say_of_what_they_are() {
        let table = find("retrieval").and_then(Study::paper).expect("the paper's table");
        let shown = |row: usize, column: usize| table.rows[row].cells[column].show(table.columns[column].unit);
        assert_eq!([0, 1, 2].map(|row| shown(row, 0)), ["23.58 s", "2123.21 s", "4.04 s"]);
        for (row, bytes) in ["80 B", "168 B", "232 B"].into_iter().enumerate() {
            assert_eq!(
                shown(row, 1),
                format!("{bytes} (the Python object alone, without the numbers that it points to)")
            );
        }
        assert_eq!(shown(0, 2), "2.57e-5", "the other columns need no explanation");
    }

    #[test]
    fn the_papers_rows_have_a_cell_for_every_column() {
        for table in STUDIES.iter().filter_map(Study::paper) {
            assert!(table.bars.is_none_or(|column| column < table.columns.len()), "{}", table.title);
            for row in &table.rows {
                assert_eq!(row.cells.len(), table.columns.len(), "{}: {}", table.title, row.name);
            }
        }
    }
}
