//! Columns that line up, for any input.

use unicode_width::UnicodeWidthStr;

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
