//! Columns.

/// Rows as aligned columns, two spaces between them. A cell of several lines goes on below itself.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.flat_map(|cell| cell.lines()).map(|line| line.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = |row: &Vec<String>| {
        let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(1).max(1);
        let line = |number: usize| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| {
                let text = cell.lines().nth(number).unwrap_or_default();
                format!("{text:<width$}")
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        (0..height).map(line).collect::<Vec<_>>()
    };
    rows.iter().flat_map(lines).collect()
}
