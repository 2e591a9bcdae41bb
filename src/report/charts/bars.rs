//! Failures over time: a thin bar for every hour or day.

use jiff::civil::Date;

use crate::figures::Hour;
use crate::report::charts::canvas::{Anchor, Area, Canvas, LETTERS, Style, Weight};
use crate::report::charts::{HEIGHT, WIDTH, length, part};
use crate::report::numbers::{compact, grouped, hundredths};
use crate::report::palette::Palette;

/// Above the plot: room for the number on the highest bar.
const TOP: f32 = 18.0;
/// Below it: room for the names of hours and days.
const BOTTOM: f32 = 22.0;
/// Right of it: room for the word that names the line.
const RIGHT: f32 = 40.0;
/// Between the scale and the plot.
const GAP: f32 = 7.0;
/// A bar that is not nothing can be seen.
const LEAST: f32 = 1.5;
/// The edge of what is usual.
const EDGE: f32 = 1.0;

/// Where bars stand, and how high the highest may be.
struct Plot {
    left: f32,
    step: f32,
    right: f32,
    /// The highest value, times 100.
    highest: u128,
}

impl Plot {
    /// A plot of so many bars, with its grid and scale painted.
    fn new(
        canvas: &mut Canvas,
        bars: usize,
        highest: u128,
        end: f32,
        palette: &Palette,
    ) -> Option<Self> {
        let lines = grid(highest);
        let style = Style { weight: Weight::Regular, anchor: Anchor::End, colour: palette.muted };
        let scale = lines
            .iter()
            .map(|line| canvas.fonts().width(Weight::Regular, &compact(*line)))
            .fold(0.0, f32::max);
        let left = scale + GAP;
        let right = f32::from(WIDTH) - end;
        let plot = Self { left, right, step: (right - left) / length(bars.max(1)), highest };
        for line in lines {
            let y = Plot::base() - plot.height(u128::from(line) * 100);
            let area = Area { left, top: y - 0.5, width: right - left, height: 1.0 };
            canvas.fill(area, palette.rule);
            canvas.write(&compact(line), (scale, y + LETTERS * 0.36), style);
        }
        (bars > 0).then_some(plot)
    }

    fn base() -> f32 {
        f32::from(HEIGHT) - BOTTOM
    }

    fn height(&self, hundredths: u128) -> f32 {
        part(hundredths, self.highest, Self::base() - TOP)
    }

    fn middle(&self, at: usize) -> f32 {
        self.left + (length(at) + 0.5) * self.step
    }

    fn bar(&self, at: usize, count: u64) -> Area {
        let height = self.height(u128::from(count) * 100).max(LEAST);
        let width = (self.step * 0.62).max(1.0);
        Area { left: self.middle(at) - width / 2.0, top: Self::base() - height, width, height }
    }

    /// Writes a number over a bar, wholly inside the sheet.
    fn name_bar(&self, canvas: &mut Canvas, at: usize, count: u64, style: Style) {
        let text = compact(count);
        let half = canvas.fonts().width(style.weight, &text) / 2.0;
        let x = self.middle(at).min(f32::from(WIDTH) - half).max(self.left + half);
        canvas.write(&text, (x, self.bar(at, count).top - 5.0), style);
    }
}

/// At most four lines at round numbers, zero among them.
fn grid(highest: u128) -> Vec<u64> {
    let highest = u64::try_from(highest / 100).unwrap_or(u64::MAX);
    let mut step = 1u64;
    for factor in [2, 5, 10].into_iter().cycle() {
        if highest / step <= 3 {
            break;
        }
        let decade = step / leading(step);
        let Some(next) = decade.checked_mul(factor) else { break };
        step = next;
    }
    (0..=highest / step).map(|at| at * step).collect()
}

fn leading(number: u64) -> u64 {
    let mut digit = number;
    while digit >= 10 {
        digit /= 10;
    }
    digit.max(1)
}

/// Paints the hours of a day, and a line at what is usual; `None` if there are no hours.
pub(super) fn hours(canvas: &mut Canvas, hours: &[Hour], palette: &Palette) -> Option<()> {
    let most = hours.iter().map(|hour| u128::from(hour.count) * 100).max()?;
    let usual = hours.iter().filter_map(|hour| hour.usual_hundredths).max();
    let end = if usual.is_some() { RIGHT } else { 0.0 };
    let highest = most.max(usual.unwrap_or_default().into()).max(100);
    let plot = Plot::new(canvas, hours.len(), highest, end, palette)?;
    paint_usual(canvas, hours, &plot, palette);
    for (at, hour) in hours.iter().enumerate().filter(|(_, hour)| hour.count > 0) {
        canvas.fill(plot.bar(at, hour.count), palette.accent);
    }
    let style = Style { weight: Weight::Regular, anchor: Anchor::Start, colour: palette.muted };
    if let Some(usual) = hours.iter().rev().find_map(|hour| hour.usual_hundredths) {
        let y = Plot::base() - plot.height(usual.into()) + LETTERS * 0.36;
        canvas.write("usual", (plot.right + GAP, y), style);
    }
    let names = Style { anchor: Anchor::Middle, ..style };
    let mut last = None;
    for (at, hour) in hours.iter().enumerate().filter(|(_, hour)| hour.of_day % 6 == 0) {
        // The hour that comes twice is named once.
        if last.replace(hour.of_day) != Some(hour.of_day) {
            let place = (plot.middle(at), f32::from(HEIGHT) - 5.0);
            canvas.write(&format!("{}:00", hour.of_day), place, names);
        }
    }
    if let Some((at, hour)) = peak(hours) {
        let style = Style { weight: Weight::Semibold, colour: palette.ink, ..names };
        plot.name_bar(canvas, at, hour.count, style);
    }
    Some(())
}

/// Paints what is usual behind the bars: a pale ground with an edge, open where it is not known.
fn paint_usual(canvas: &mut Canvas, hours: &[Hour], plot: &Plot, palette: &Palette) {
    let mut before = None;
    for (at, hour) in hours.iter().enumerate() {
        let height = hour.usual_hundredths.map(|usual| plot.height(usual.into()));
        if let Some(height) = height {
            let left = plot.middle(at) - plot.step / 2.0;
            let ground = Area { left, top: Plot::base() - height, width: plot.step, height };
            canvas.fill(ground, palette.ground);
            canvas.fill(Area { height: EDGE, ..ground }, palette.soft);
            if let Some(before) = before {
                let (low, high) = (height.min(before), height.max(before));
                let top = Plot::base() - high;
                let rise = Area { left, top, width: EDGE, height: high - low + EDGE };
                canvas.fill(rise, palette.soft);
            }
        }
        before = height;
    }
}

/// The first hour with the most failures, if there were any.
fn peak(hours: &[Hour]) -> Option<(usize, &Hour)> {
    let most = hours.iter().map(|hour| hour.count).max().filter(|most| *most > 0)?;
    hours.iter().enumerate().find(|(_, hour)| hour.count == most)
}

/// The hours in words.
pub(super) fn hours_in_words(hours: &[Hour]) -> String {
    let Some((_, hour)) = peak(hours) else { return "No failures in any hour.".to_owned() };
    let usual = hour
        .usual_hundredths
        .map_or(String::new(), |usual| format!("; usual at that time: {}", hundredths(usual)));
    let quiet = hours.iter().filter(|hour| hour.count == 0).count();
    let quiet = match quiet {
        0 => "No hour was without.".to_owned(),
        hour_or_more => format!("{hour_or_more} of {} hours had none.", hours.len()),
    };
    let (count, from) = (grouped(hour.count), hour.of_day);
    format!("Most failures in the hour from {from}:00: {count}{usual}. {quiet}")
}

/// Paints the days, the last of them as the one of the report; `None` if there are none.
pub(super) fn days(
    canvas: &mut Canvas,
    days: &[(Date, Option<u64>)],
    palette: &Palette,
) -> Option<()> {
    let (_, last) = days.split_last().map(|(last, _)| (last.0, last.1))?;
    let highest = days.iter().filter_map(|(_, count)| *count).max().unwrap_or_default();
    let number = last.map(compact).unwrap_or_default();
    let end = canvas.fonts().width(Weight::Semibold, &number) + GAP;
    let plot = Plot::new(canvas, days.len(), (u128::from(highest) * 100).max(100), end, palette)?;
    for (at, (_, count)) in days.iter().enumerate() {
        let Some(count) = count else { continue };
        let colour = if at + 1 == days.len() { palette.accent } else { palette.soft };
        canvas.fill(plot.bar(at, *count), colour);
    }
    unread(canvas, days, &plot, palette);
    let style = Style { weight: Weight::Regular, anchor: Anchor::Middle, colour: palette.muted };
    for (at, (date, _)) in days.iter().enumerate() {
        let from_last = days.len() - 1 - at;
        let style = match from_last {
            0 => Style { weight: Weight::Semibold, anchor: Anchor::End, colour: palette.accent },
            10 | 20 => style,
            _ if at == 0 => Style { anchor: Anchor::Start, ..style },
            _ => continue,
        };
        let x = match style.anchor {
            Anchor::Start => plot.left,
            Anchor::Middle => plot.middle(at),
            Anchor::End => plot.right,
        };
        let name = date.strftime("%-d %b").to_string();
        canvas.write(&name, (x, f32::from(HEIGHT) - 5.0), style);
    }
    // Beside its bar: above it, it would stand on the bars before.
    let top = plot.bar(days.len() - 1, last.unwrap_or_default()).top;
    let style = Style { weight: Weight::Semibold, anchor: Anchor::Start, colour: palette.accent };
    canvas.write(&number, (plot.right + GAP / 2.0, (top + 4.0).min(Plot::base())), style);
    Some(())
}

/// Marks the days that nothing is known of: paper over the base line, and a word if there is room.
fn unread(canvas: &mut Canvas, days: &[(Date, Option<u64>)], plot: &Plot, palette: &Palette) {
    let mut at = 0;
    for run in days.chunk_by(|one, other| one.1.is_none() == other.1.is_none()) {
        let from = at;
        at += run.len();
        if run.first().is_none_or(|(_, count)| count.is_some()) {
            continue;
        }
        let left = plot.left + length(from) * plot.step;
        let width = length(run.len()) * plot.step;
        let (top, height) = (Plot::base() - 2.0, 4.0);
        canvas.fill(Area { left, top, width, height }, palette.card);
        let style =
            Style { weight: Weight::Regular, anchor: Anchor::Middle, colour: palette.muted };
        if canvas.fonts().width(style.weight, "not read") + GAP < width {
            canvas.write("not read", (left + width / 2.0, Plot::base() - 3.0), style);
        }
    }
}

/// The days in words.
pub(super) fn days_in_words(days: &[(Date, Option<u64>)]) -> String {
    let Some(((_, last), before)) = days.split_last() else { return String::new() };
    let known: Vec<(Date, u64)> =
        before.iter().filter_map(|(date, count)| Some((*date, (*count)?))).collect();
    let unknown = before.len() - known.len();
    let mut words = vec![format!("This day {}", last.map_or("unknown".to_owned(), grouped))];
    let most = known.iter().max_by_key(|(_, count)| count);
    if let (Some(least), Some(most)) = (known.iter().min_by_key(|(_, count)| count), most) {
        let (low, high) = (grouped(least.1), grouped(most.1));
        words.push(format!(
            "the {} before it between {low} (on {}) and {high} (on {})",
            before.len(),
            least.0,
            most.0
        ));
    }
    if unknown > 0 {
        words.push(format!("nothing was read of {unknown} of them"));
    }
    format!("{}.", words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_of_few_round_numbers() {
        let grid_of = |highest: u64| grid(u128::from(highest) * 100);
        assert_eq!(grid_of(1), [0, 1]);
        assert_eq!(grid_of(7), [0, 2, 4, 6]);
        assert_eq!(grid_of(53), [0, 20, 40]);
        assert_eq!(grid_of(368), [0, 100, 200, 300]);
        assert_eq!(grid_of(31), [0, 10, 20, 30]);
        for highest in [0, 1, 2, 3, 9, 10, 11, 99, 12_345, u64::MAX - 1, u64::MAX] {
            let lines = grid_of(highest);
            assert!(lines.len() <= 4 && lines[0] == 0, "{highest}: {lines:?}");
        }
    }

    #[test]
    fn days_are_told_in_words() {
        let day = |day| jiff::civil::date(2026, 11, day);
        let days = [(day(19), Some(12)), (day(20), None), (day(21), Some(40)), (day(22), Some(25))];
        assert_eq!(
            days_in_words(&days),
            "This day 25; the 3 before it between 12 (on 2026-11-19) and 40 (on 2026-11-21); \
             nothing was read of 1 of them."
        );
    }
}
