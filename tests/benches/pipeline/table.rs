//! Table: rows of figures under a title, right-aligned.

/// Prints a table; the first column is text.
pub fn print(title: &str, header: &[&str], rows: &[Vec<String>]) {
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let all = || std::iter::once(&header).chain(rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    println!("\n{title}");
    for row in all() {
        let first = format!("  {:<width$}", row[0], width = widths[0]);
        let rest = row.iter().zip(&widths).skip(1);
        println!(
            "{first}{}",
            rest.map(|(cell, width)| format!("  {cell:>width$}")).collect::<String>()
        );
    }
}

/// The middle of some figures.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[count / 2],
        count => f64::midpoint(figures[count / 2 - 1], figures[count / 2]),
    }
}
