//! The colours of the page and its charts, by day and by night.
//!
//! One accent; red is for what needs action. Text keeps a contrast of 4.5 (WCAG 2.2, AA) on the
//! card and on the page behind it; bars, which are no text, 3, but for those of `others`, which have
//! their number beside them.

use std::fmt;

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Colour(pub [u8; 3]);

impl fmt::Display for Colour {
    /// As CSS and the attributes of old mail clients have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([red, green, blue]) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// One set of colours, named for what they are used for.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Behind the card.
    pub page: Colour,
    /// The card that all text stands on, and the background of the charts.
    pub card: Colour,
    /// Text.
    pub ink: Colour,
    /// Text of second rank.
    pub muted: Colour,
    /// Rules between rows and the grid of charts.
    pub rule: Colour,
    /// Behind bars: what is usual.
    pub ground: Colour,
    /// The day's bars, and links.
    pub accent: Colour,
    /// The bars of other days.
    pub soft: Colour,
    /// What needs action.
    pub alarm: Colour,
}

/// On a light background; also what clients that know no dark mode show.
pub const DAY: Palette = Palette {
    page: Colour([0xf2, 0xf4, 0xf5]),
    card: Colour([0xff, 0xff, 0xff]),
    ink: Colour([0x17, 0x20, 0x2a]),
    muted: Colour([0x58, 0x64, 0x71]),
    rule: Colour([0xe2, 0xe6, 0xe9]),
    ground: Colour([0xed, 0xf1, 0xf2]),
    accent: Colour([0x0c, 0x6b, 0x78]),
    soft: Colour([0x78, 0x96, 0x9d]),
    alarm: Colour([0xb4, 0x23, 0x18]),
};

/// On a dark background.
pub const NIGHT: Palette = Palette {
    page: Colour([0x0e, 0x12, 0x16]),
    card: Colour([0x17, 0x1c, 0x22]),
    ink: Colour([0xe9, 0xed, 0xf0]),
    muted: Colour([0x9d, 0xa9, 0xb4]),
    rule: Colour([0x2b, 0x33, 0x3b]),
    ground: Colour([0x22, 0x2b, 0x31]),
    accent: Colour([0x5b, 0xc3, 0xd1]),
    soft: Colour([0x55, 0x75, 0x7d]),
    alarm: Colour([0xff, 0x8f, 0x84]),
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(Colour(channels): Colour) -> f64 {
        let [red, green, blue] = channels.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: Colour, other: Colour) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_text_can_be_read_by_day_and_by_night() {
        for palette in [DAY, NIGHT] {
            for behind in [palette.card, palette.page] {
                for text in [palette.ink, palette.muted, palette.accent, palette.alarm] {
                    let ratio = contrast(text, behind);
                    assert!(ratio >= 4.5, "{text} on {behind}: {ratio:.2}");
                }
            }
        }
    }

    #[test]
    fn bars_stand_out_from_the_card() {
        for palette in [DAY, NIGHT] {
            for bar in [palette.soft, palette.accent] {
                let ratio = contrast(bar, palette.card);
                assert!(ratio >= 3.0, "{bar}: {ratio:.2}");
            }
        }
    }

    #[test]
    fn a_colour_is_written_as_css_has_it() {
        assert_eq!(DAY.ink.to_string(), "#17202a");
    }
}
