"""Draw eyes with lids and lashes, brows, the creases around them, and glasses."""

from __future__ import annotations

import numpy as np

from fergen.data.procedural.canvas import Patch, Surface, View, Window, bump, cover, line, smooth
from fergen.data.procedural.geometry import Shape
from fergen.data.procedural.parameters import Identity, Photo, Pose
from fergen.data.procedural.skin import SIDES

DARK = 0.05  # pupils, lashes
SCLERA = 0.86


def eyes(view: View, surface: Surface, who: Identity, how: Shape, photo: Photo) -> None:
    """Draw both eyes with all that surrounds them."""
    for k, side in enumerate(SIDES):
        centre_x, centre_y = side * (who.eye_x.ravel() + 0.02), who.eye_y.ravel() - 0.09
        patch = Patch(view, surface, Window(view, centre_x, centre_y, 0.37, 0.36))
        m, y = patch.x * side, patch.y
        _socket(patch, m, y, who, how, k)
        _eye(patch, m, y, who, how, view.pose, photo, k, side)
        _brow(patch, m, y, who, how, k)
        _glasses(patch, m, y, who)
        patch.done()


def _socket(patch: Patch, m, y, who: Identity, how: Shape, k: int) -> None:
    """Shade the eye socket; crease the lid, the lower lid (AU6, AU7), the outer corner (AU6) and the glabella (AU4)."""
    dx, dy = m - who.eye_x, y - who.eye_y
    inner = bump(np.square((m - 0.12) * 7.0) + np.square((dy + 0.03) * 6.0))
    hollow = bump(np.square(dx * 4.0) + np.square((dy + 0.04) * 5.2))
    patch.height -= 0.045 * hollow + 0.02 * inner
    patch.shade(0.12 * hollow + 0.16 * inner)

    t = dx / who.eye_width
    bag_y = how.lid_lower[:, k] * (1.0 - 0.8 * t * t) + 0.045
    bag = how.eye_bag[:, k] * smooth(1.15, 0.6, np.abs(t))
    patch.shade(0.34 * bag * line(dy - bag_y, 0.012, patch.sharp) + 0.14 * bag * bump(np.square((dy - bag_y) * 14.0)))
    patch.height += 0.016 * bag * bump(np.square((dy - bag_y + 0.022) * 30.0))

    corner = m - who.eye_x - 1.22 * who.eye_width
    ray = np.clip(corner * 9.0, 0.0, 1.0) * bump(np.square(corner * 6.5) + np.square(dy * 6.0))
    angle = dy / (corner + 0.05)
    rays = how.crow_feet[:, k] * ray * np.maximum(np.cos(angle * 8.0), 0.0)
    patch.shade(0.55 * rays)
    patch.height -= 0.012 * rays

    gap = m - 0.045 - 0.10 * np.clip(y + 0.2, 0.0, 1.0)
    furrow = how.furrow[:, k] * smooth(-0.36, -0.24, y) * smooth(-0.02, -0.14, y)
    patch.shade(0.50 * furrow * line(gap, 0.013, patch.sharp) + 0.16 * furrow * bump(np.square(gap * 14.0)))
    patch.height -= 0.020 * furrow * bump(np.square(gap * 20.0))


def _eye(patch: Patch, m, y, who: Identity, how: Shape, pose: Pose, photo: Photo, k: int, side: float) -> None:
    """Draw eyeball, iris, pupil and catchlight between the lids, then the lids' edges and lashes."""
    dx = m - who.eye_x
    dy = y - who.eye_y + who.eye_tilt * dx
    t = dx / who.eye_width
    arc = 1.0 - t * t
    upper = -how.lid_upper[:, k] * arc * (1.12 - 0.18 * t)
    lower = how.lid_lower[:, k] * arc * (0.92 + 0.22 * t)
    opening = cover(np.maximum(upper - dy, dy - lower), patch.sharp)

    white = SCLERA - 0.20 * t * t - 0.30 * bump(np.square((dy - upper) * 17.0))
    patch.paint(white[:, None], opening)
    gx, gy = dx - side * pose.gaze_x * who.iris * 0.8, dy - pose.gaze_y * who.iris * 0.6 + 0.008
    radius = np.sqrt(gx * gx + gy * gy)
    iris = cover(radius - who.iris, patch.sharp) * opening
    ring = 0.65 + 0.45 * bump(np.square(radius / who.iris)) - 0.35 * smooth(0.7, 1.0, radius / who.iris)
    patch.paint(who.eyes * ring[:, None], iris)
    patch.paint(DARK, cover(radius - 0.42 * who.iris, patch.sharp) * opening)
    spot_x = gx - side * 0.4 * who.iris * np.sign(photo.light[:, 0])
    glint = cover(np.sqrt(spot_x * spot_x + np.square(gy + 0.35 * who.iris)) - 0.26 * who.iris, patch.sharp)
    patch.paint(1.25, 0.85 * glint * opening)
    caruncle = bump(np.square((t + 0.93) * 7.0)) * opening
    patch.paint(who.skin * 0.75, 0.8 * caruncle)

    lid = smooth(1.16, 0.94, np.abs(t))
    lash = 0.013 + 0.012 * who.makeup + 0.006 * t
    patch.paint(who.hair * 0.15 + 0.03, lid * 0.92 * line(dy - upper + 0.006, lash, patch.sharp))
    patch.shade(0.36 * lid * line(dy - lower, 0.009 + 0.006 * who.makeup, patch.sharp))
    fold = upper - how.lid_crease[:, k] * (0.65 + 0.35 * arc)
    patch.shade(0.40 * lid * line(dy - fold, 0.010, patch.sharp))
    between = smooth(-0.01, 0.01, dy - fold) * smooth(0.004, -0.006, dy - upper) * lid
    patch.shade(0.10 * between * (1.0 + 2.0 * who.makeup))
    patch.height += 0.012 * between


def _brow(patch: Patch, m, y, who: Identity, how: Shape, k: int) -> None:
    """Draw a brow as the parabola through its inner end, peak (at 0.6 of its length) and outer end."""
    inner_x = how.brow_inner_x[:, k]
    p = (m - inner_x) / (who.eye_x + 1.25 * who.eye_width - inner_x)
    inner, peak, outer = how.brow_inner_y[:, k], how.brow_peak_y[:, k], how.brow_outer_y[:, k]
    curve = inner * (p - 0.6) * (p - 1.0) / 0.6 - peak * p * (p - 1.0) / 0.24 + outer * p * (p - 0.6) / 0.4
    thick = who.brow_thick * (1.0 - 0.62 * np.square(np.clip(p, 0.0, 1.0)))
    ends = smooth(-0.06, 0.08, p) * smooth(1.06, 0.9, p)
    off = y - curve
    hairs = 0.85 + 0.15 * np.sin(m * 120.0 + off * 150.0)
    amount = who.brow_dark * ends * cover(np.abs(off) - thick, np.minimum(patch.sharp, 30.0)) * hairs
    patch.paint(who.hair * 0.7 + 0.02, amount)
    patch.height += 0.012 * ends * bump(np.square(off / (thick + 0.03)))


def _glasses(patch: Patch, m, y, who: Identity) -> None:
    """Draw one lens, its frame, half the bridge and the start of the temple."""
    lens_x, lens_y = m - who.eye_x - 0.012, y - who.eye_y - 0.025
    wide, tall = 0.225, 0.150 + 0.045 * who.frame_round
    corner = 0.05 + 0.095 * who.frame_round
    qx, qy = np.abs(lens_x) - wide + corner, np.abs(lens_y) - tall + corner
    outside = np.sqrt(np.square(np.maximum(qx, 0.0)) + np.square(np.maximum(qy, 0.0)))
    distance = outside + np.minimum(np.maximum(qx, qy), 0.0) - corner
    rim = line(distance, who.frame_thick, patch.sharp)
    bridge = line(y - who.eye_y + 0.03 - 0.5 * m * m, who.frame_thick, patch.sharp) * (m < who.eye_x - 0.19)
    temple = line(lens_y + 0.05, who.frame_thick, patch.sharp) * (lens_x > wide - 0.01)
    inside = cover(distance, patch.sharp) * who.glasses
    patch.shade(0.07 * inside)
    streak = smooth(0.05, 0.0, np.abs(lens_x + lens_y + 0.06)) * inside
    patch.paint(1.0, 0.16 * streak)
    patch.paint(who.frame, who.glasses * np.maximum(rim, np.maximum(bridge, temple)))
