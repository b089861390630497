"""Draw lips, the open mouth with teeth and tongue, the chin, and the moustache."""

from __future__ import annotations

import numpy as np

from fergen.data.procedural.canvas import Patch, Surface, View, Window, bump, cover, line, smooth
from fergen.data.procedural.geometry import Shape
from fergen.data.procedural.parameters import Identity

TEETH = 0.84
CAVITY = 0.09


def mouth(view: View, surface: Surface, who: Identity, how: Shape) -> None:
    """Draw the mouth region of each face."""
    zero = np.zeros(view.x.shape[0], np.float32)
    patch = Patch(view, surface, Window(view, zero, zero + 0.75, 0.46, 0.42))
    # Each half of the mouth has its own corner; the midline of the lips is a parabola through both corners.
    right = smooth(-0.06, 0.06, patch.x)
    half = how.corner_x[:, 0] + (how.corner_x[:, 1] - how.corner_x[:, 0]) * right
    lift = how.corner_y[:, 0] + (how.corner_y[:, 1] - how.corner_y[:, 0]) * right
    t = patch.x / half
    t2 = t * t
    arc = np.maximum(1.0 - t2, 0.0)
    box = arc + how.square * (np.maximum(1.0 - t2 * t2, 0.0) - arc)
    y = patch.y - how.mouth_y - lift * t2 + 0.02 * how.chin_boss * arc

    top, bottom = -how.part_upper * box - 0.003, how.part_lower * box + 0.003
    bow = arc - 0.30 * bump(t2 * 22.0)
    upper = top - how.lip_upper * bow
    lower = bottom + how.lip_lower * np.sqrt(arc) * arc
    within = smooth(1.03, 0.98, np.abs(t))

    _chin(patch, who, how, lower, y, t)
    _moustache(patch, who, upper - y, t)
    _lips(patch, who, how, y, t, (upper, top, bottom, lower), within)
    _inside(patch, who, how, y, t, top, bottom, within)
    patch.done()


def _lips(patch: Patch, who: Identity, how: Shape, y, t, curves, within) -> None:
    """Draw both lips, the line where they meet, and the shade at the corners."""
    upper, top, bottom, lower = curves
    lips = cover(np.maximum(upper - y, y - lower), patch.sharp) * within
    strength = 0.62 + 0.38 * who.makeup
    tone = 1.0 - 0.16 * smooth(0.02, -0.02, y) + 0.10 * bump(np.square((y - 0.55 * (bottom + lower)) * 26.0))
    patch.paint(who.lips * tone[:, None], strength * lips)
    roll = bump(np.square((y - 0.5 * (bottom + lower)) / (0.5 * how.lip_lower + 0.012)))
    roll += 0.7 * bump(np.square((y - 0.5 * (upper + top)) / (0.5 * how.lip_upper + 0.012)))
    patch.height += (0.030 - 0.014 * np.minimum(how.press, 1.0)) * roll * within
    seam = line(y, 0.010 + 0.006 * how.press, patch.sharp) * smooth(1.08, 0.98, np.abs(t))
    patch.shade(0.62 * seam)
    corner = np.square((np.abs(t) - 1.0) * 8.0) + np.square(y * 24.0)
    patch.shade(0.34 * bump(corner))
    pressed = bump(np.square((np.abs(y) - 0.05) * 22.0)) * smooth(1.15, 0.8, np.abs(t))
    patch.shade(0.26 * how.press * pressed)
    patch.height += 0.014 * how.press * pressed


def _inside(patch: Patch, who: Identity, how: Shape, y, t, top, bottom, within) -> None:
    """Open the lips on a dark cavity; upper teeth hang from the skull, lower teeth and tongue ride on the jaw."""
    gape = smooth(0.008, 0.022, bottom - top)
    hole = cover(np.maximum(top - y, y - bottom), patch.sharp) * within * gape
    patch.paint(CAVITY * (0.4 + who.lips), hole)
    depth = np.clip(bottom - top, 0.0, 1.0)
    tongue = np.square(t * 1.55) + np.square((y - bottom + 0.01) / (0.35 * how.part_lower + 0.02))
    patch.paint(who.lips * 0.62, 0.9 * cover((tongue - 1.0) * 0.06, patch.sharp) * hole * smooth(0.07, 0.13, depth))
    curve = 0.018 * t * t
    gaps = 0.90 + 0.10 * np.cos(t * 26.0)
    fade = 1.0 - 0.45 * t * t
    upper_edge = 0.026 - curve
    upper_teeth = cover(y - upper_edge, patch.sharp) * smooth(0.97, 0.80, np.abs(t))
    patch.paint((TEETH * gaps * fade)[:, None], hole * upper_teeth)
    lower_edge = 0.034 + how.jaw * 0.92 + curve
    lower_teeth = cover(lower_edge - y, patch.sharp) * smooth(0.9, 0.7, np.abs(t))
    patch.paint((0.9 * TEETH * gaps * fade)[:, None], hole * lower_teeth)
    patch.shade(0.45 * hole * bump(np.square((y - top) * 32.0)))


def _chin(patch: Patch, who: Identity, how: Shape, lower, y, t) -> None:
    """Shade the hollow under the lower lip, the ball of the chin, and AU17's puckered skin."""
    below = y - lower - 0.035
    patch.shade((0.20 + 0.18 * how.chin_boss) * bump(np.square(below * 17.0)) * bump(np.square(t * 0.85)))
    centre = who.chin + how.jaw - 0.14 - 0.03 * how.chin_boss
    ball = np.square(patch.x * 4.4) + np.square((patch.y - centre) * 7.0)
    patch.height += (0.05 + 0.035 * how.chin_boss) * bump(ball)
    pebble = np.sin(patch.x * 74.0 + 2.0) * np.sin(patch.y * 68.0 + 1.0)
    patch.shade(how.chin_boss * bump(ball * 0.9) * (0.05 + 0.14 * pebble))
    patch.height += 0.008 * how.chin_boss * bump(ball * 0.9) * pebble
    groove = bump(np.square(patch.x * 26.0)) * bump(np.square((y + 0.11) * 17.0))
    patch.shade(0.10 * groove)


def _moustache(patch: Patch, who: Identity, up, t) -> None:
    """Draw a moustache above the upper lip; it moves with the lip."""
    body = smooth(-0.02, 0.01, up) * smooth(0.125, 0.06, up + 0.05 * t * t) * smooth(1.30, 0.95, np.abs(t))
    grain = 0.85 + 0.15 * np.sin(patch.x * 110.0 + patch.y * 37.0)
    patch.paint(who.hair * 0.9, np.clip(who.moustache * body * grain, 0.0, 1.0))
    patch.height += 0.02 * who.moustache * body
