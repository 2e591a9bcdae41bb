//! Where failures came from: a bar for each of the largest shares, and one for all the others.

use crate::figures::Figures;
use crate::report::charts::canvas::{Anchor, Area, Canvas, Fonts, LETTERS, Style, Weight};
use crate::report::charts::{HEIGHT, WIDTH, part};
use crate::report::numbers::percent;
use crate::report::palette::Palette;

/// So many bars have names; the rest are `others`.
const NAMED: usize = 5;
/// A bar has no room for more letters, and a name can have thousands.
const MOST_LETTERS: usize = 48;
/// The name of the last bar.
const OTHERS: &str = "others";
const ROW: f32 = 26.0;
const BAR: f32 = 9.0;
/// Between a name and its bar, and a bar and its number.
const GAP: f32 = 8.0;
/// The most that names may take of the width.
const NAMES: f32 = 132.0;
/// What the widest number takes.
const NUMBER: f32 = 40.0;

/// A bar: its name and its count.
pub(super) type Share = (String, u64);

/// The countries of the day.
pub(super) fn countries(figures: &Figures) -> Vec<Share> {
    let unknown = |code: &str| if code == "N/A" { "unknown".to_owned() } else { code.to_owned() };
    named(figures.countries.iter().map(|(code, count)| (unknown(code), *count)), figures.total)
}

/// The organisations whose networks the day's addresses are in.
pub(super) fn networks(figures: &Figures) -> Vec<Share> {
    let organisations = figures.organisations.iter().map(|(name, count)| {
        let name = name.as_ref().map_or("unknown".to_owned(), |n| n.for_terminal().into_owned());
        (name, *count)
    });
    named(organisations, figures.total)
}

fn named(all: impl Iterator<Item = Share>, total: u64) -> Vec<Share> {
    let short = |(name, count): Share| (name.chars().take(MOST_LETTERS).collect(), count);
    let mut shares: Vec<Share> = all.take(NAMED).map(short).collect();
    let known = shares.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
    let others = total.saturating_sub(known);
    if others > 0 {
        shares.push((OTHERS.to_owned(), others));
    }
    shares
}

/// Paints the bars; `None` if there are none.
pub(super) fn paint(
    canvas: &mut Canvas,
    shares: &[Share],
    total: u64,
    palette: &Palette,
) -> Option<()> {
    let longest = shares.iter().map(|(_, count)| *count).max()?;
    let fonts: &Fonts = canvas.fonts();
    let names: Vec<String> =
        shares.iter().map(|(name, _)| fonts.fit(Weight::Regular, name, NAMES)).collect();
    let column =
        names.iter().map(|name| fonts.width(Weight::Regular, name)).fold(0.0, f32::max) + GAP;
    let room = f32::from(WIDTH) - column - GAP - NUMBER;
    let mut top = ((f32::from(HEIGHT) - super::length(shares.len()) * ROW) / 2.0).min(ROW / 2.0);
    for (at, ((_, count), name)) in shares.iter().zip(&names).enumerate() {
        let others = at == NAMED || name == "others";
        let (ink, bar) =
            if others { (palette.muted, palette.rule) } else { (palette.ink, palette.accent) };
        let middle = top + ROW / 2.0;
        let base = middle + LETTERS * 0.36;
        let left = Style { weight: Weight::Regular, anchor: Anchor::Start, colour: ink };
        canvas.write(name, (0.0, base), left);
        let width = part((*count).into(), longest.into(), room).max(1.5);
        canvas.fill(Area { left: column, top: middle - BAR / 2.0, width, height: BAR }, bar);
        let number = Style { weight: Weight::Semibold, ..left };
        canvas.write(&percent(*count, total), (column + width + GAP, base), number);
        top += ROW;
    }
    Some(())
}

/// The same in words.
pub(super) fn in_words(shares: &[Share], total: u64) -> String {
    let parts: Vec<String> =
        shares.iter().map(|(name, count)| format!("{name} {}", percent(*count, total))).collect();
    format!("{}.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_told_too() {
        let figures = Figures {
            total: 100,
            countries: vec![("CN".into(), 60), ("N/A".into(), 30)],
            ..Figures::default()
        };
        let shares = countries(&figures);
        assert_eq!(in_words(&shares, 100), "CN 60 %, unknown 30 %, others 10 %.");
        assert_eq!(networks(&figures), [("others".to_owned(), 100)]);
    }
}
