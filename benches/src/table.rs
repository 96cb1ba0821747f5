//! Figures in columns, as they are measured.

/// A table that is printed line by line.
#[derive(Debug)]
pub struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// Prints a title and the heading.
    pub fn begin(title: &str, heading: &[&str]) -> Self {
        println!("\n{title}\n");
        let table = Self { widths: heading.iter().map(|cell| cell.len().max(10)).collect() };
        table.row(&heading.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
        table
    }

    /// Prints a line.
    pub fn row(&self, cells: &[String]) {
        let cells = cells.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:>width$}", width = *width));
        println!("{}", cells.collect::<Vec<_>>().join("  "));
    }
}
