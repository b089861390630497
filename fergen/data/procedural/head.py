"""Draw the backdrop, clothes, neck, ears, the head's skin, hair and beard."""

from __future__ import annotations

import numpy as np

from fergen.data.procedural.canvas import Surface, View, bump, cover, smooth
from fergen.data.procedural.geometry import Shape
from fergen.data.procedural.parameters import Identity, Photo

BEARD_TOP = 0.36  # no pose lifts a beard above this height of the frame


def start(view: View, photo: Photo) -> Surface:
    """Fill the frame with an out-of-focus backdrop: a gradient and two soft waves."""
    n, side = view.x.shape[0], view.side
    grid = np.linspace(-1, 1, side, dtype=np.float32)
    waves = photo.backdrop_waves
    across, down = grid[None, None, :], grid[None, :, None]
    tone = 0.35 * (waves[:, 0] - 0.5) * across + 0.35 * (waves[:, 1] - 0.5) * down
    for k in (2, 5):
        angle = (across * (waves[:, k] - 0.5) + down * (waves[:, k + 1] - 0.5)) * (4.0 + 3.0 * k)
        tone = tone + 0.14 * np.sin(angle + 6.28 * waves[:, k + 2])
    albedo = np.clip(photo.backdrop * 0.9 + 0.05 + tone[:, None], 0.0, 1.0).astype(np.float32)
    return Surface(albedo, np.zeros((n, side, side), np.float32), np.zeros((n, side, side), np.float32))


def body(view: View, surface: Surface, who: Identity) -> None:
    """Draw what is behind the face: long hair, shoulders, neck, ears."""
    x, y, sharp = view.plane_x, view.plane_y, view.sharp
    below, above = np.maximum(y, 0.0), np.minimum(y, 0.0)
    spread = who.width + who.hair_volume * 0.8 + 0.05
    fall = np.square(x / spread) + np.square(above / (1.02 + who.hair_volume))
    fall += np.square(np.square(below / (0.35 + 1.1 * who.hair_long)))
    back = cover((fall - 1.0) * 0.35, sharp) * (who.hair_long > 0)
    _solid(surface, who.hair * 0.55, back)

    _shoulders(view.band(0.5, 1.0), surface.band(0.5, 1.0), who)
    _ears(view.band(0.3, 0.8), surface.band(0.3, 0.8), who)


def _shoulders(view: View, surface: Surface, who: Identity) -> None:
    """Draw clothes and neck, in the lower half of the frame."""
    x, y = view.plane_x, view.plane_y
    shoulder = np.square(x / 1.25) + np.square((y - 1.95) / 0.72)
    _solid(surface, who.clothes, cover((shoulder - 1.0) * 0.4, view.sharp))
    neck = np.maximum(np.abs(x) - who.width * (0.56 + 0.25 * np.square(np.maximum(y - 1.1, 0.0))), 0.45 - y)
    neck = np.maximum(neck, y - 1.42 + 0.2 * np.square(x * 2))
    _solid(surface, who.skin * 0.80, cover(neck, view.sharp))


def _ears(view: View, surface: Surface, who: Identity) -> None:
    """Draw the ears. Behind the head's axis, they move against the features; the far one hides behind the cheek."""
    across = np.abs(view.plane_x + 0.16 * np.sin(view.pose.yaw)) - who.width * 0.99
    ear = np.square(across / 0.085) + np.square((view.plane_y - 0.08) / 0.20)
    amount = cover((ear - 1.0) * 0.05, view.sharp)
    _solid(surface, who.skin * 0.93, amount)
    surface.paint(who.skin * 0.62, 0.8 * bump(ear * 2.2))
    surface.height += 0.05 * bump(np.square((ear - 0.6) * 2.0)) * amount


def skin(view: View, surface: Surface, who: Identity, how: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Draw the head's skin; return where it is, in [0, 1], and the distance to its edge (< 0 inside), [n, s, s]."""
    x = view.plane_x - 0.26 * np.sin(view.pose.yaw) * np.clip(view.plane_y, 0.0, 1.0)
    y = view.plane_y - 0.10 * np.sin(view.pose.pitch)
    below, above = np.maximum(y, 0.0), np.minimum(y, 0.0)
    reach = who.chin + how.jaw
    t = below * (1.0 / reach)
    t2 = t * t
    bow = t2 * (1.0 - who.jaw + who.jaw * t2)
    half = who.width * (1.0 - who.taper * t)
    u = x / half
    level = u * u + bow + above * above - 1.0
    # Distance ~ value / gradient of the implicit outline (first order, exact enough at the edge).
    down = t * (2.0 - 2.0 * who.jaw + 4.0 * who.jaw * t2) / reach + 2.0 * above
    slope = np.sqrt(4.0 * u * u / (half * half) + down * down + 0.3)
    distance = level / slope
    amount = cover(distance, view.sharp)
    _solid(surface, who.skin, amount)

    # Blood under the skin and shade where the head turns away; darker under the cheekbones and the hair.
    rim = smooth(-0.5, 0.05, level)
    surface.albedo *= 1.0 - (0.16 * rim * amount)[:, None]
    return amount, distance


def hair(view: View, surface: Surface, who: Identity, head: np.ndarray, distance: np.ndarray) -> None:
    """Draw the hair in front: a cap down to the hairline, strands, a shine, and its shadow on the forehead."""
    x, y = view.x, view.y
    below, above = np.maximum(view.plane_y, 0.0), np.minimum(view.plane_y, 0.0)
    outer = np.square(view.plane_x / (who.width + 0.02 + 0.7 * who.hair_volume))
    outer += np.square(above / (1.0 + who.hair_volume)) + np.square(np.square(below / who.hair_low))
    wave = np.sin(x * 19.0 + who.hair_phase + 2.0 * np.sin(y * 7.0 + who.hair_phase))
    outer += 0.07 * who.hair_wave * wave
    hairline = who.hair_curve * np.square(x * x) - who.hair_line + who.hair_part * x * 0.5 + 0.022 * wave
    front = smooth(0.035, -0.035, y - hairline)
    # Off the skull there is no hairline: the cap's outline alone bounds it, and it parts around the neck.
    beside = np.maximum(smooth(0.75, 0.35, view.plane_y), smooth(0.55, 0.75, np.abs(view.plane_x) / who.width))
    front = np.maximum(front, smooth(-0.05, -0.005, distance) * beside * (who.hair_line < 0.95))
    amount = cover((outer - 1.0) * 0.42, view.sharp) * front

    strand = np.sin((x * (24.0 + 26.0 * (1 - who.hair_wave)) + wave * 1.1 + y * 6.0 * who.hair_wave) + who.hair_phase)
    strand = strand + 0.7 * np.sin(x * 61.0 + y * 23.0 + who.hair_phase * 3.0)
    shine = bump(np.square((y + 0.78 + 0.35 * x * x) * 4.5))
    tint = who.hair * (1.0 + (0.16 * strand + 0.55 * shine)[:, None])
    surface.paint(tint, amount)
    surface.height *= 1.0 - amount
    surface.height += amount * (0.03 + 0.006 * strand)
    np.maximum(surface.lit, amount, out=surface.lit)
    # The hair's shadow on the forehead.
    shadow = smooth(0.16, 0.0, y - hairline) * head * (1.0 - amount)
    surface.albedo *= 1.0 - (0.22 * shadow * (who.hair_line < 0.95))[:, None]


def beard(view: View, surface: Surface, who: Identity, how: Shape, head: np.ndarray) -> None:
    """Draw beard and stubble on the lower face."""
    view, surface = view.band(BEARD_TOP, 1.0), surface.band(BEARD_TOP, 1.0)
    head, x, y = head[:, -view.x.shape[1] :], view.x, view.y
    edge = 0.42 + 0.30 * np.square(x * 1.3) - 0.55 * smooth(0.5, 0.75, np.abs(x))
    below = smooth(-0.06, 0.10, y - edge - how.jaw * 0.4)
    grain = np.sin(x * 97.0 + 9.0 * np.sin(y * 41.0)) * np.sin(y * 83.0 + who.hair_phase)
    amount = below * head * (who.beard * (0.86 + 0.14 * grain) + (1.0 - who.beard) * who.stubble)
    surface.paint(who.hair * 0.9, np.clip(amount, 0.0, 1.0))
    surface.height += below * head * who.beard * (0.02 + 0.006 * grain)


def _solid(surface: Surface, colour: np.ndarray, amount: np.ndarray) -> None:
    surface.paint(colour, amount)
    surface.height *= 1.0 - amount
    np.maximum(surface.lit, amount, out=surface.lit)
