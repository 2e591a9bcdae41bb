"""Cuts Inter down to what the charts write: Latin letters, and digits of equal width.

    python3 cut.py FOLDER        # FOLDER has Inter-Regular.otf, Inter-SemiBold.otf (Debian: fonts-inter)

Needs fonttools. Writes inter-regular.otf and inter-semibold.otf into the current folder.
"""
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

LETTERS = [*range(0x20, 0x7F), *range(0xA0, 0x180), *map(ord, "–—‘’“”•…−\u2009\u202f")]


def equal_width(font):
    """The glyphs that the feature `tnum` puts in place of others."""
    table = font["GSUB"].table
    for record in table.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for part in table.LookupList.Lookup[index].SubTable:
                    yield from getattr(part, "ExtSubTable", part).mapping.items()


for weight in ("Regular", "SemiBold"):
    font = TTFont(Path(sys.argv[1]) / f"Inter-{weight}.otf")
    swap = dict(equal_width(font))
    for table in font["cmap"].tables:
        for letter, glyph in table.cmap.items():
            if chr(letter) in "0123456789":
                table.cmap[letter] = swap.get(glyph, glyph)
    options = subset.Options(layout_features=[], hinting=False, notdef_outline=True)
    options.name_IDs = [0, 1, 2, 5, 13, 14]
    options.drop_tables += ["GPOS", "GSUB", "GDEF"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=LETTERS)
    subsetter.subset(font)
    font.save(f"inter-{weight.lower()}.otf")
