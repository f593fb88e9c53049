//! Columns of text.

/// Rows under headings, each column as wide as its widest cell.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { headings: headings.iter().map(|text| (*text).to_string()).collect(), rows: vec![] }
    }

    /// An empty cell shows as a dash: a gap would look like a fault of the table.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.headings.len(), "a row has a cell for each heading");
        let dash = |cell: String| if cell.is_empty() { "–".to_string() } else { cell };
        self.rows.push(cells.into_iter().map(dash).collect());
    }

    pub(crate) fn render(&self) -> String {
        let mut text = line(&self.headings, &self.widths());
        text.push_str(&self.rows());
        text
    }

    /// The rows alone, for what follows a table that was printed already.
    pub(crate) fn rows(&self) -> String {
        let widths = self.widths();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let all = || std::iter::once(&self.headings).chain(&self.rows);
        let width = |at: usize| all().map(|row| row[at].chars().count()).max().unwrap_or(0);
        (0..self.headings.len()).map(width).collect()
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        text.push_str(cell);
        if at + 1 < cells.len() {
            let gap = width + 2 - cell.chars().count();
            text.extend(std::iter::repeat_n(' ', gap));
        }
    }
    text.push('\n');
    text
}
