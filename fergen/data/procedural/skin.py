"""Draw the relief and creases of the skin: nose, cheeks, nasolabial folds, forehead, furrows."""

from __future__ import annotations

import numpy as np

from fergen.data.procedural.canvas import Patch, Surface, View, Window, bump, line, smooth
from fergen.data.procedural.geometry import Shape
from fergen.data.procedural.parameters import Identity

SIDES = (-1.0, 1.0)  # the image's left and right; index 0 and 1 of every paired field


def forehead(view: View, surface: Surface, who: Identity, how: Shape) -> None:
    """Draw the forehead's horizontal lines (AU1 in the middle, AU2 at the sides) and the brow ridge."""
    zero = np.zeros(view.x.shape[0], np.float32)
    patch = Patch(view, surface, Window(view, zero, zero - 0.45, 0.62, 0.30))
    x, y = patch.x, patch.y
    outer = np.clip(np.abs(x) * 3.2 - 0.35, 0.0, 1.0)
    right = smooth(-0.15, 0.15, x)
    strength = _lerp(how.forehead_inner, right) * (1.0 - outer) + _lerp(how.forehead_outer, right) * outer
    within = bump(np.square((y + 0.45) * 4.6)) * bump(np.square(x * 1.75))
    waves = np.cos((y + 0.05 * np.cos(x * 5.0 + who.hair_phase)) * 62.0)
    crease = within * strength * np.maximum(waves, -0.2)
    patch.shade(0.34 * np.clip(crease, 0.0, 1.0))
    patch.height -= 0.016 * crease
    patch.height += 0.03 * bump(np.square((y + 0.24) * 5.5)) * bump(np.square((np.abs(x) - 0.3) * 3.2))
    patch.done()


def nose(view: View, surface: Surface, who: Identity, how: Shape) -> None:
    """Draw the nose: bridge, tip, wings, nostrils, its shade, and AU9's wrinkles across the root."""
    zero = np.zeros(view.x.shape[0], np.float32)
    patch = Patch(view, surface, Window(view, zero + 0.05 * np.sin(view.pose.yaw).ravel(), zero + 0.22, 0.34, 0.42))
    # The tip stands out of the face, so it moves further than the skin around it.
    out = np.clip((patch.y + 0.1) * 2.0, 0.0, 1.0)
    x = patch.x - 0.16 * np.sin(view.pose.yaw) * out
    y = patch.y - 0.07 * np.sin(view.pose.pitch) * out
    tip = who.nose_length - how.nose_raise
    along = np.clip((y + 0.16) / (tip + 0.16), 0.0, 1.0)
    fall = bump(np.square(np.maximum(y - tip, 0.0) * 9.0))
    width = 0.075 + 0.075 * along + 0.4 * (who.nose_width - 0.1)
    ridge = bump(np.square(x / width))
    patch.height += who.nose_height * (0.25 + 0.75 * along) * along * fall * ridge
    patch.height += 0.06 * bump((np.square(x) + np.square(y - tip + 0.01)) * 85.0)
    wing = who.nose_width * (1.0 + 0.25 * how.nostril)
    ax = np.abs(x)
    wings = bump(np.square((ax - wing) * 14.0) + np.square((y - tip - 0.035) * 13.0))
    patch.height += 0.055 * wings

    under = np.square((ax - 0.55 * wing) * 21.0) + np.square((y - tip - 0.072) * 33.0)
    patch.shade(0.72 * bump(under * (0.62 - 0.12 * how.nostril)))
    patch.shade(0.30 * bump(np.square(x * 5.5) + np.square((y - tip - 0.115) * 13.0)))
    edge = np.square((ax - wing - 0.05) * 24.0) + np.square((y - tip - 0.035) * 10.0)
    patch.shade(0.26 * bump(edge))
    patch.shade(0.13 * along * fall * bump(np.square((ax - width * 0.75) * 16.0)) * smooth(-0.2, 0.0, y))

    root = bump(np.square((y + 0.02) * 7.0) + np.square(x * 6.5))
    scrunch = np.cos((y + 0.55 * ax) * 70.0)
    patch.height -= 0.022 * how.nose_wrinkle * root * scrunch
    patch.shade(how.nose_wrinkle * root * np.clip(0.12 + 0.40 * scrunch, 0.0, 1.0))
    flank = bump(np.square((y - 0.16) * 6.5) + np.square((ax - 0.15) * 11.0))
    patch.shade(0.42 * how.nose_wrinkle * flank * np.maximum(np.cos((y - 0.9 * ax) * 46.0), 0.0))
    patch.done()


def cheeks(view: View, surface: Surface, who: Identity, how: Shape) -> None:
    """Draw cheeks and the folds from nose to mouth corner (AU6, 9, 10, 12) and from there down (AU15, age)."""
    for k, side in enumerate(SIDES):
        zero = np.zeros(view.x.shape[0], np.float32)
        patch = Patch(view, surface, Window(view, zero + side * 0.36, zero + 0.50, 0.36, 0.50))
        m, y = patch.x * side, patch.y
        ball = np.square((m - 0.40) * 3.3) + np.square((y - 0.33 + how.cheek_raise[:, k]) * 3.9)
        patch.height += 0.085 * how.cheek[:, k] * bump(ball)
        warm = bump(ball * 0.9)
        patch.shade(-0.05 * how.cheek[:, k] * warm)
        hollow = bump(np.square((m - 0.52) * 5.0) + np.square((y - 0.60) * 4.2))
        patch.shade(0.10 * hollow)

        start_x, start_y = who.nose_width + 0.055, who.nose_length - how.nose_raise - 0.01
        end_x = how.corner_x[:, k] + 0.055 + how.fold_out[:, k]
        end_y = how.mouth_y + 0.5 * how.corner_y[:, k] + 0.05
        t = np.clip((y - start_y) / (end_y - start_y), -0.3, 1.3)
        path = start_x + (end_x - start_x) * t + (0.05 + 0.6 * how.fold_out[:, k]) * t * (1.0 - t)
        run = (end_x - start_x) / (end_y - start_y)
        off = (m - path) / np.sqrt(1.0 + run * run)
        ends = smooth(-0.12, 0.12, t) * smooth(1.25, 0.85, t)
        fold = how.fold[:, k]
        patch.shade(0.30 * fold * ends * bump(np.square(off * 20.0)))
        patch.shade(0.16 * fold * ends * line(off, 0.010, patch.sharp))
        patch.height += 0.020 * fold * ends * smooth(-0.03, 0.06, off) * bump(np.square(np.maximum(off, 0.0) * 5.0))

        down_y = how.mouth_y + how.corner_y[:, k]
        s = (y - down_y - 0.02) * 5.0
        pull = m - how.corner_x[:, k] - 0.035 - 0.02 * s
        crease = how.marionette[:, k] * smooth(-0.1, 0.25, s) * smooth(1.2, 0.4, s)
        patch.shade(0.42 * crease * line(pull, 0.013, patch.sharp))
        patch.height -= 0.016 * crease * bump(np.square(pull * 22.0))
        pit = np.square((m - how.corner_x[:, k] - 0.045) * 24.0) + np.square((y - down_y) * 13.0)
        patch.shade(0.50 * how.dimple[:, k] * bump(pit))
        patch.height -= 0.02 * how.dimple[:, k] * bump(pit * 0.5)
        patch.done()


def _lerp(pair: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Blend a paired field [n, 2, 1, 1] across the face by right [n, h, w] in [0, 1]."""
    return pair[:, 0] + (pair[:, 1] - pair[:, 0]) * right
