//! The charts of a report, as PNG pictures: mail clients show no SVG and run no script.
//!
//! Each comes twice, for light and for dark backgrounds, on paper of the card's colour: a picture
//! with holes would need one colour of text that can be read on black and on white, and there is
//! none with a contrast of 4.5 on both. Clients that know no dark mode show the light one.

mod bars;
mod canvas;
mod shares;

use crate::report::Report;
use crate::report::palette::{DAY, NIGHT, Palette};

use canvas::{Canvas, Fonts};

/// The width of every chart, in CSS pixels: half a page, so that it keeps its size on a phone.
pub const WIDTH: u16 = 320;
/// Its height.
pub const HEIGHT: u16 = 164;

/// A chart, and the same in words.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub topic: Topic,
    /// For light backgrounds.
    pub day: Vec<u8>,
    /// For dark ones.
    pub night: Vec<u8>,
    /// What to know for reading it.
    pub caption: &'static str,
    /// For those who cannot see it. Not escaped.
    pub alt: String,
}

/// What a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Failures per hour, and what is usual.
    Hours,
    /// Failures per day, of 30 days.
    Days,
    /// The countries they came from.
    Countries,
    /// The organisations they came from.
    Networks,
}

/// All charts that the report has numbers for: none if nothing failed.
pub fn draw(report: &Report) -> Vec<Chart> {
    let Some(fonts) = Fonts::load() else { return Vec::new() };
    if report.figures.total == 0 {
        return Vec::new();
    }
    [Topic::Hours, Topic::Days, Topic::Countries, Topic::Networks]
        .into_iter()
        .filter_map(|topic| {
            let [day, night] = [DAY, NIGHT].map(|palette| {
                let mut canvas = Canvas::new(WIDTH, HEIGHT, palette.card, &fonts)?;
                topic.paint(&mut canvas, report, &palette)?;
                canvas.png()
            });
            let (caption, alt) = (topic.caption(report), topic.alt(report));
            Some(Chart { topic, day: day?, night: night?, caption, alt })
        })
        .collect()
}

impl Topic {
    /// Paints it; `None` if there is nothing to paint.
    fn paint(self, canvas: &mut Canvas, report: &Report, palette: &Palette) -> Option<()> {
        let figures = &report.figures;
        match self {
            Self::Hours => bars::hours(canvas, &figures.hours, palette),
            Self::Days => bars::days(canvas, &figures.days, palette),
            Self::Countries => {
                shares::paint(canvas, &shares::countries(figures), figures.total, palette)
            }
            Self::Networks => {
                shares::paint(canvas, &shares::networks(figures), figures.total, palette)
            }
        }
    }

    fn caption(self, report: &Report) -> &'static str {
        let hours = &report.figures.hours;
        match self {
            Self::Hours if hours.iter().any(|hour| hour.usual_hundredths.is_some()) => {
                "Grey: usual, the median of the 14 days before"
            }
            Self::Hours => "Failures in each hour",
            Self::Days => "The last 30 days",
            Self::Countries | Self::Networks => "Share of the failures",
        }
    }

    fn alt(self, report: &Report) -> String {
        let figures = &report.figures;
        match self {
            Self::Hours => bars::hours_in_words(&figures.hours),
            Self::Days => bars::days_in_words(&figures.days),
            Self::Countries => shares::in_words(&shares::countries(figures), figures.total),
            Self::Networks => shares::in_words(&shares::networks(figures), figures.total),
        }
    }
}

/// `value` of `whole`, as a part of `length`.
fn part(value: u128, whole: u128, length: f32) -> f32 {
    const STEPS: u16 = 60_000;
    let steps = value.min(whole).saturating_mul(STEPS.into()) / whole.max(1);
    f32::from(u16::try_from(steps).unwrap_or(STEPS)) / f32::from(STEPS) * length
}

/// A count of bars, or a place among them, for reckoning with lengths.
fn length(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
