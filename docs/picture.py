#!/usr/bin/env python3
"""Draws docs/images/run.svg, the README's picture: what samples/run prints on a terminal, as it prints it."""

import html
import os
import pty
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
COLUMNS = 110
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341"}
BACKGROUND, TEXT, DIM = "#0d1117", "#e6edf3", "#8b949e"
LINE, WIDTH, MARGIN = 19, 8.43, 22
NBSP = "\N{NO-BREAK SPACE}"


def run():
    """The output of samples/run on a terminal."""
    ours, terminal = pty.openpty()
    process = subprocess.Popen([TOP / "samples/run"], stdout=terminal, stderr=terminal)
    os.close(terminal)
    output = bytearray()
    try:
        while data := os.read(ours, 65536):
            output.extend(data)
    except OSError:  # what Linux says at the end of a pseudo-terminal
        pass
    if process.wait() != 0:
        raise SystemExit(f"samples/run failed: {output.decode()}")
    text = output.decode().replace("\r\n", "\n").strip("\n")
    # What is built is no part of it, and the scratch folder has another name each time.
    text = re.sub(r"^Building .*\n+", "", text)
    return re.sub(r"/\S*/maillogsentinel-sample-\w+", "/tmp/sample", text)


def pieces(line):
    """Pairs of style and text."""
    style = set()
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if codes is None:
            if part:
                yield frozenset(style), part
            continue
        for code in codes[1].split(";"):
            if code in ("", "0"):
                style.clear()
            else:
                style.add(code)


def lines(text):
    """Lines of pieces; long ones go on in the next, as on a terminal."""
    for line in text.split("\n"):
        row, used = [], 0
        for style, part in pieces(line):
            while part:
                room = COLUMNS - used
                row.append((style, part[:room]))
                used += len(part[:room])
                part = part[room:]
                if part:
                    yield row
                    row, used = [], 0
        yield row


def draw(rows):
    height = MARGIN * 2 + LINE * len(rows) + 18
    width = int(MARGIN * 2 + COLUMNS * WIDTH)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" aria-label="A terminal: 131 failed logins found in 746 lines, none in a second run, '
        'and one line explained column by column">',
        f'<rect width="100%" height="100%" rx="9" fill="{BACKGROUND}"/>',
    ]
    for at, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        out.append(f'<circle cx="{MARGIN + at * 18}" cy="18" r="5.5" fill="{colour}"/>')
    out.append(f'<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" '
               f'font-size="14" fill="{TEXT}">')
    for number, row in enumerate(rows):
        x, y = MARGIN, MARGIN + 18 + LINE * (number + 1) - 5
        for style, part in row:
            colour = next((COLOURS[code] for code in style if code in COLOURS), DIM if "2" in style else TEXT)
            weight = ' font-weight="700"' if "1" in style else ""
            length = len(part) * WIDTH
            shown = html.escape(part).replace(" ", NBSP)
            out.append(f'<text x="{x:.1f}" y="{y}" fill="{colour}"{weight} textLength="{length:.1f}" '
                       f'lengthAdjust="spacingAndGlyphs">{shown}</text>')
            x += length
    out.append("</g></svg>")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    target = TOP / "docs/images/run.svg"
    target.write_text(draw(list(lines(run()))), encoding="utf-8")
    print(f"wrote {target.relative_to(TOP)}")
