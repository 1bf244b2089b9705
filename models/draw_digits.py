#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the digit pictures that the examples and tests send to the digit model.

    python3 models/draw_digits.py

The pictures are our own: curves through the points below, drawn with a round brush whose pressure
and position waver a little, as a hand's do. Nothing is taken from a data set or a font, so the
pictures carry the licence of this repository. `check_digits.py` says whether the model reads them.
"""

import argparse
import math
import pathlib
import random

from PIL import Image, ImageDraw

SHARPNESS = 6  # pictures are drawn this many times larger and averaged down: antialiasing
SIDE_MIN = 280  # the smallest pictures are drawn larger still, or the brush would be a few dots

# Per digit its strokes; per stroke the points that the pen passes through, in a unit square with
# y downwards. A point that is given twice is a corner, others are rounded.
STROKES = {
    0: [[(.55, .17), (.40, .21), (.30, .38), (.29, .58), (.36, .76), (.50, .83), (.64, .75),
         (.71, .56), (.69, .34), (.61, .20), (.50, .165)]],
    1: [[(.46, .25), (.54, .17), (.54, .17), (.53, .40), (.51, .62), (.50, .84)]],
    2: [[(.31, .33), (.37, .21), (.51, .16), (.65, .23), (.66, .38), (.55, .55), (.42, .69),
         (.30, .81), (.30, .81), (.45, .79), (.60, .80), (.73, .78)]],
    3: [[(.33, .24), (.46, .16), (.62, .20), (.65, .33), (.57, .44), (.45, .48), (.45, .48),
         (.60, .51), (.69, .63), (.64, .78), (.48, .84), (.32, .77)]],
    4: [[(.40, .17), (.35, .34), (.28, .53), (.28, .53), (.45, .55), (.74, .52)],
        [(.64, .20), (.62, .42), (.59, .64), (.58, .85)]],
    5: [[(.40, .19), (.38, .33), (.35, .46), (.35, .46), (.48, .42), (.62, .49), (.67, .63),
         (.59, .78), (.44, .84), (.30, .77)],
        [(.40, .19), (.54, .20), (.69, .17)]],
    6: [[(.61, .16), (.46, .27), (.36, .45), (.32, .64), (.38, .79), (.51, .84), (.64, .76),
         (.66, .62), (.56, .53), (.44, .56), (.34, .68)]],
    7: [[(.29, .22), (.45, .23), (.70, .19), (.70, .19), (.62, .38), (.53, .60), (.46, .85)]],
    8: [[(.64, .25), (.52, .16), (.38, .22), (.37, .35), (.50, .47), (.64, .60), (.65, .75),
         (.51, .84), (.36, .76), (.37, .61), (.51, .47), (.63, .36), (.65, .24)]],
    9: [[(.66, .30), (.55, .18), (.41, .21), (.34, .35), (.39, .48), (.52, .50), (.64, .40),
         (.67, .27), (.67, .27), (.65, .48), (.61, .67), (.55, .85)]],
}

# name, digit, side in pixels, pen width as a part of the side, slant, ink, paper
CHALK, NIGHT = ((255, 244, 214), (22, 38, 32)), ((120, 214, 255), (14, 16, 34))
PICTURES = [
    ("digit-0", 0, 28, .085, .04, 255, 0),
    ("digit-1", 1, 56, .080, .02, 250, 0),
    ("digit-2", 2, 140, .075, .03, 245, 4),
    ("digit-3", 3, 28, .090, .00, 255, 0),
    ("digit-4", 4, 56, .080, .05, 240, 0),
    ("digit-5", 5, 140, .085, .06, 255, 6),
    ("digit-6", 6, 28, .085, .03, 248, 0),
    ("digit-7", 7, 56, .090, .02, 255, 0),
    ("digit-8", 8, 140, .075, .05, 250, 5),
    ("digit-9", 9, 28, .085, .00, 252, 0),
    ("digit-3-rgb", 3, 112, .075, .10, *CHALK),
    ("digit-7-rgb", 7, 84, .080, .08, *NIGHT),
    ("digit-5-paper", 5, 112, .080, .00, 35, 242),
]


def curve(points, steps=24):
    """Points close together on a Catmull-Rom curve through `points`."""
    padded = [points[0], *points, points[-1]]
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:]):
        for step in range(steps):
            t = step / steps
            yield tuple(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t
                       + (3 * b - a - 3 * c + d) * t ** 3)
                for a, b, c, d in zip(before, start, end, after))
    yield points[-1]


def wavering(hand, size):
    """A smooth function of time that stays within about +-size: how a hand is never steady."""
    waves = [(hand.uniform(2, 7), hand.uniform(0, math.tau), size / 2) for _ in range(3)]
    return lambda t: sum(height * math.sin(speed * t + phase) for speed, phase, height in waves)


def brush_marks(strokes, width, slant, hand):
    """(x, y, radius) of each touch of the brush: one round dot beside the next."""
    for points in strokes:
        drift_x, drift_y = wavering(hand, .008), wavering(hand, .008)
        pressure = wavering(hand, .12)
        path = list(curve(points))
        for index, (x, y) in enumerate(path):
            t = index / (len(path) - 1)
            lifted = 1 - .35 * max(0, t - .8) / .2  # the pen leaves the paper gradually
            yield (x + slant * (.5 - y) + drift_x(t), y + drift_y(t),
                   width / 2 * lifted * (1 + pressure(t)))


def coverage(marks, side):
    """How much of each pixel is ink, as a grey picture of `side` x `side`."""
    large = max(side * SHARPNESS, -(-SIDE_MIN // side) * side)
    canvas = Image.new("L", (large, large), 0)
    pen = ImageDraw.Draw(canvas)
    last = None
    for x, y, radius in marks:
        x, y, radius = x * large, y * large, radius * large
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        if last and math.hypot(x - last[0], y - last[1]) < 4 * radius:
            pen.line((*last, x, y), fill=255, width=round(2 * radius))
        last = (x, y)
    return canvas.resize((side, side), Image.Resampling.BOX)


def picture(name, digit, side, width, slant, ink, paper):
    """One finished picture; the name seeds the hand, so that no two pictures waver alike."""
    marks = brush_marks(STROKES[digit], width, slant, random.Random(name))
    kind = "RGB" if isinstance(ink, tuple) else "L"
    size = (side, side)
    return Image.composite(Image.new(kind, size, ink), Image.new(kind, size, paper),
                           coverage(marks, side))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path,
                        default=pathlib.Path(__file__).parent / "pictures")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, *how in PICTURES:
        picture(name, *how).save(out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
