//! Columns that line up, for any input.

use unicode_width::UnicodeWidthStr;

use crate::report::text::SENTENCES;

/// The widest line.
pub(super) const WIDTH: usize = SENTENCES;
/// Between columns.
const GAP: usize = 2;
/// The widest a column may be.
const WIDEST: usize = 40;

/// Lines of cells, each column as wide as its widest cell; the last one as it is.
pub(super) fn lines(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.width().min(WIDEST)).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = if at + 1 < row.len() { shortened(cell) } else { cell.clone() };
            line.push_str(&cell);
            if at + 1 < row.len() {
                line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + GAP));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The same within [`WIDTH`]: if a line is wider, all rows go on in a second line from column `at` on.
pub(super) fn folded(rows: &[Vec<String>], at: usize) -> String {
    let whole = lines(rows);
    if whole.lines().all(|line| line.width() <= WIDTH) {
        return whole;
    }
    let halves = rows.iter().map(|row| row.split_at(at.min(row.len())));
    let (first, second): (Vec<_>, Vec<_>) =
        halves.map(|(first, second)| (first.to_vec(), second.to_vec())).unzip();
    let (first, second) = (lines(&first), lines(&second));
    let mut out = String::new();
    for (first, second) in first.lines().zip(second.lines()) {
        out.extend([first, "\n      ", second, "\n"]);
    }
    out
}

/// At most [`WIDEST`] columns of `text`.
fn shortened(text: &str) -> String {
    if text.width() <= WIDEST {
        return text.to_owned();
    }
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
        used < WIDEST
    });
    kept.collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_wide_goes_on_in_a_second_line() {
        let row = |first: &str, last: &str| vec![first.to_owned(), "b".to_owned(), last.to_owned()];
        assert_eq!(folded(&[row("  a", "c"), row("  aa", "d")], 2), "  a   b  c\n  aa  b  d\n");
        let long = "c".repeat(73);
        let expected = format!("  a   b\n      {long}\n  aa  b\n      d\n");
        assert_eq!(folded(&[row("  a", &long), row("  aa", "d")], 2), expected);
    }
}
