//! A small sheet to draw on: boxes, lines and words, and a PNG in the end.
//!
//! Measures are CSS pixels; the picture has `SCALE` times as many, for sharp screens. Letters are
//! outlines of a font that is part of the program, so that a server needs no fonts.

use std::collections::BTreeMap;

use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, MetadataProvider};
use tiny_skia::{FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Transform};

use crate::report::palette::Colour;

/// Pixels of the picture for one of CSS, each way.
pub(super) const SCALE: u8 = 2;
/// The size of all letters.
pub(super) const LETTERS: f32 = 11.5;
/// So many colours are enough for a few flat ones and the soft edges of letters.
const MOST_COLOURS: usize = 64;

const REGULAR: &[u8] = include_bytes!("font/inter-regular.otf");
const SEMIBOLD: &[u8] = include_bytes!("font/inter-semibold.otf");

/// The two weights of the font.
pub(super) struct Fonts {
    regular: FontRef<'static>,
    semibold: FontRef<'static>,
}

/// How heavy letters are.
#[derive(Clone, Copy)]
pub(super) enum Weight {
    Regular,
    Semibold,
}

/// Which end of a text stands at its place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) weight: Weight,
    pub(super) anchor: Anchor,
    pub(super) colour: Colour,
}

/// A rectangle, from its upper left corner.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Fonts {
    /// `None` cannot be: the fonts are part of the program, and a test reads them.
    pub(super) fn load() -> Option<Self> {
        Some(Self { regular: FontRef::new(REGULAR).ok()?, semibold: FontRef::new(SEMIBOLD).ok()? })
    }

    fn of(&self, weight: Weight) -> &FontRef<'static> {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Semibold => &self.semibold,
        }
    }

    /// How wide `text` is set. A letter that the font lacks is set as a dot.
    pub(super) fn width(&self, weight: Weight, text: &str) -> f32 {
        let font = self.of(weight);
        let (charmap, metrics) =
            (font.charmap(), font.glyph_metrics(Size::new(LETTERS), LocationRef::default()));
        text.chars()
            .filter_map(|c| charmap.map(c).or_else(|| charmap.map('·')))
            .filter_map(|glyph| metrics.advance_width(glyph))
            .sum()
    }

    /// `text`, or as much of its beginning as fits into `room`, with an ellipsis.
    pub(super) fn fit(&self, weight: Weight, text: &str, room: f32) -> String {
        let mut kept = text.to_owned();
        let mut shown = kept.clone();
        while self.width(weight, &shown) > room && kept.pop().is_some() {
            shown = format!("{}…", kept.trim_end());
        }
        shown
    }

    fn outline(&self, weight: Weight, text: &str, place: (f32, f32)) -> Option<Path> {
        let font = self.of(weight);
        let size = Size::new(LETTERS);
        let charmap = font.charmap();
        let metrics = font.glyph_metrics(size, LocationRef::default());
        let outlines = font.outline_glyphs();
        let mut pen = Pen { path: PathBuilder::new(), x: place.0, y: place.1 };
        for c in text.chars() {
            let Some(id) = charmap.map(c).or_else(|| charmap.map('·')) else { continue };
            if let Some(glyph) = outlines.get(id) {
                let settings = DrawSettings::unhinted(size, LocationRef::default());
                // A broken outline leaves a hole; the font is ours, and has none.
                let _ = glyph.draw(settings, &mut pen);
            }
            pen.x += metrics.advance_width(id).unwrap_or_default();
        }
        pen.path.finish()
    }
}

/// The sheet.
pub(super) struct Canvas<'a> {
    pixmap: Pixmap,
    fonts: &'a Fonts,
}

impl<'a> Canvas<'a> {
    /// A sheet of one colour; `None` if it has no size.
    pub(super) fn new(width: u16, height: u16, paper: Colour, fonts: &'a Fonts) -> Option<Self> {
        let scale = u32::from(SCALE);
        let mut pixmap = Pixmap::new(u32::from(width) * scale, u32::from(height) * scale)?;
        let Colour([red, green, blue]) = paper;
        pixmap.fill(tiny_skia::Color::from_rgba8(red, green, blue, 255));
        Some(Self { pixmap, fonts })
    }

    /// What it writes with.
    pub(super) fn fonts(&self) -> &'a Fonts {
        self.fonts
    }

    /// Fills an area.
    pub(super) fn fill(&mut self, area: Area, colour: Colour) {
        if let Some(rect) = Rect::from_xywh(area.left, area.top, area.width, area.height) {
            self.pixmap.fill_rect(rect, &paint(colour), scaled(), None);
        }
    }

    /// Writes one line; `place` is on its base line.
    pub(super) fn write(&mut self, text: &str, place: (f32, f32), style: Style) {
        let width = self.fonts.width(style.weight, text);
        let left = match style.anchor {
            Anchor::Start => place.0,
            Anchor::Middle => place.0 - width / 2.0,
            Anchor::End => place.0 - width,
        };
        if let Some(path) = self.fonts.outline(style.weight, text, (left, place.1)) {
            let paint = paint(style.colour);
            self.pixmap.fill_path(&path, &paint, FillRule::Winding, scaled(), None);
        }
    }

    /// The sheet as a PNG with a palette; `None` if it cannot be encoded, which cannot be.
    pub(super) fn png(&self) -> Option<Vec<u8>> {
        let pixels: Vec<Colour> = self
            .pixmap
            .pixels()
            .iter()
            .map(|pixel| Colour([pixel.red(), pixel.green(), pixel.blue()]))
            .collect();
        let (colours, indices) = reduce(&pixels);
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, self.pixmap.width(), self.pixmap.height());
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_palette(colours.iter().flat_map(|colour| colour.0).collect::<Vec<u8>>());
        encoder.set_compression(Compression::High);
        encoder.set_filter(Filter::NoFilter);
        encoder.write_header().ok()?.write_image_data(&indices).ok()?;
        Some(out)
    }
}

/// The most frequent colours, and for every pixel the nearest of them.
///
/// Flat areas are what there is most of, so their colours stay as they are: the paper of a chart
/// must be that of the card around it.
fn reduce(pixels: &[Colour]) -> (Vec<Colour>, Vec<u8>) {
    // Most pixels are like the one before: runs are looked up, not pixels.
    let runs = || pixels.chunk_by(|one, other| one == other);
    let mut counts = BTreeMap::<Colour, usize>::new();
    for run in runs() {
        if let Some(colour) = run.first() {
            *counts.entry(*colour).or_default() += run.len();
        }
    }
    let mut colours: Vec<Colour> = counts.keys().copied().collect();
    colours.sort_by_key(|colour| std::cmp::Reverse(counts.get(colour).copied()));
    colours.truncate(MOST_COLOURS);
    let nearest = |wanted: &Colour| {
        (0u8..)
            .zip(&colours)
            .min_by_key(|(_, colour)| distance(**colour, *wanted))
            .map(|(at, _)| at)
    };
    let index: BTreeMap<Colour, u8> =
        counts.keys().map(|colour| (*colour, nearest(colour).unwrap_or_default())).collect();
    let mut indices = Vec::with_capacity(pixels.len());
    for run in runs() {
        let at = run.first().and_then(|colour| index.get(colour)).copied().unwrap_or_default();
        indices.resize(indices.len() + run.len(), at);
    }
    (colours, indices)
}

fn distance(one: Colour, other: Colour) -> u32 {
    one.0.iter().zip(other.0).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

fn scaled() -> Transform {
    Transform::from_scale(f32::from(SCALE), f32::from(SCALE))
}

fn paint(Colour([red, green, blue]): Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

/// Draws the outline of a glyph, whose y axis points up, at a place of the sheet.
struct Pen {
    path: PathBuilder,
    x: f32,
    y: f32,
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, self.y - y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, self.y - y);
    }

    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        self.path.quad_to(self.x + cx0, self.y - cy0, self.x + x, self.y - y);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        let (left, base) = (self.x, self.y);
        self.path.cubic_to(left + cx0, base - cy0, left + cx1, base - cy1, left + x, base - y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_are_whole_and_digits_are_of_one_width() {
        let fonts = Fonts::load().unwrap();
        for weight in [Weight::Regular, Weight::Semibold] {
            let one = fonts.width(weight, "1");
            assert!(one > 4.0);
            assert!(
                "0123456789".chars().all(|c| {
                    (fonts.width(weight, c.encode_utf8(&mut [0; 4])) - one).abs() < 0.05
                })
            );
            assert!(fonts.outline(weight, "Ag%…", (0.0, 0.0)).is_some());
        }
        assert_eq!(fonts.fit(Weight::Regular, "short", 100.0), "short");
        let fitted = fonts.fit(Weight::Regular, &"long ".repeat(99), 100.0);
        assert!(fitted.ends_with('…') && fonts.width(Weight::Regular, &fitted) <= 100.0);
        assert!(fonts.width(Weight::Regular, "漢") > 0.0, "an unknown letter is a dot");
    }

    #[test]
    fn flat_colours_stay_exact_when_colours_are_many() {
        let mut pixels = vec![Colour([1, 2, 3]); 500];
        pixels.extend((0..=255).map(|shade| Colour([shade, shade, shade])));
        let (colours, indices) = reduce(&pixels);
        assert_eq!(colours.len(), MOST_COLOURS);
        assert_eq!(colours[usize::from(indices[0])], Colour([1, 2, 3]));
        assert_eq!(indices.len(), pixels.len());
    }
}
