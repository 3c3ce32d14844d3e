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
