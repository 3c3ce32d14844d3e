//! What the paper printed. Source: Recommending with Speed; the tables as its text gives them.

use super::report::{StudyCell, StudyColumn, StudyRow, StudyTable, Unit, Whose};

fn table(title: &str, rows_are: &str, columns: Vec<StudyColumn>, rows: Vec<StudyRow>) -> StudyTable {
    StudyTable {
        title: title.to_owned(),
        whose: Whose::Paper,
        rows_are: rows_are.to_owned(),
        columns,
        rows,
        bars: Some(0),
    }
}

fn row(name: &str, cells: &[(f64, &str)]) -> StudyRow {
    let cells = cells.iter().map(|(value, printed)| StudyCell::printed(*value, printed)).collect();
    StudyRow { name: name.to_owned(), note: String::new(), cells }
}

/// What the paper's bytes of a container are, which are no more for two million ratings than for three.
const OBJECT: &str = "the Python object alone, without the numbers that it points to";

/// Reading 2,023,070 ratings back one by one.
pub(super) fn retrieval() -> StudyTable {
    let columns = vec![
        StudyColumn::lower("every row, one by one", Unit::Seconds),
        StudyColumn::lower("memory", Unit::Bytes),
        StudyColumn::lower("compression", Unit::Ratio),
    ];
    let container = |name: &str, cells: &[(f64, &str)]| {
        let StudyRow { name, note, cells } = row(name, cells);
        let noted = |(at, cell): (usize, StudyCell)| if at == 1 { cell.noted(OBJECT) } else { cell };
        StudyRow { name, note, cells: cells.into_iter().enumerate().map(noted).collect() }
    };
    let rows = vec![
        container("PyTorch tensor", &[(23.58, "23.58 s"), (80.0, "80 B"), (2.57e-5, "2.57e-5")]),
        container("TensorFlow tensor", &[(2123.21, "2123.21 s"), (168.0, "168 B"), (5.40e-5, "5.40e-5")]),
        container("PyVelox vector", &[(4.04, "4.04 s"), (232.0, "232 B"), (7.45e-5, "7.45e-5")]),
    ];
    table("The paper, on its own machine (2,023,070 ratings of Amazon Beauty)", "container", columns, rows)
}

/// 10,000 ratings, 3 epochs.
pub(super) fn four_layer() -> StudyTable {
    let columns = vec![
        StudyColumn::lower("training", Unit::Seconds),
        StudyColumn::lower("RMSE", Unit::Plain),
        StudyColumn::lower("MAE", Unit::Plain),
    ];
    let rows = vec![
        row("PyTorch", &[(15.0, "15 s"), (0.37, "0.37"), (0.0563, "0.0563")]),
        row("TensorFlow", &[(17.0, "17 s"), (0.40, "0.40"), (0.067, "0.067")]),
        row("PyVelox", &[(13.0, "13 s"), (0.37, "0.37"), (0.0563, "0.0563")]),
    ];
    table("The paper, on its own machine (10,000 ratings, 3 epochs)", "engine", columns, rows)
}

/// DenseNet-150 on the whole data set.
pub(super) fn pipeline_vs_sharded() -> StudyTable {
    let columns = vec![
        StudyColumn::lower("training", Unit::Seconds),
        StudyColumn::lower("RMSE", Unit::Plain),
        StudyColumn::lower("MAE", Unit::Plain),
        StudyColumn::higher("accuracy", Unit::Plain),
        StudyColumn::lower("memory of a GPU", Unit::Bytes),
    ];
    let rows = vec![
        row("GPipe", &[(900.0, "15 min"), (0.177, ".177"), (0.031, ".031"), (0.773, ".773"), (9e9, "9 GB")]),
        row(
            "DeepSpeed",
            &[(565.8, "9.43 min"), (0.160, ".160"), (0.0507, ".0507"), (0.818, ".818"), (7.5e9, "7.5 GB")],
        ),
    ];
    table("The paper, on its own GPUs (DenseNet-150, the whole data set)", "strategy", columns, rows)
}
