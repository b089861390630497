"""Place pixels on a posed head, and the few shapes everything is drawn with.

Features are functions of canonical face coordinates: x to the image's right, y down, the origin halfway up the
head (about the eyes' height), the head's half height 1. A pixel finds its coordinates by turning the visible half of an
ellipsoid back by the head's yaw and pitch, so that features slide, foreshorten and vanish as on a solid head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from fergen.data.procedural.parameters import Pose

RADIUS_X, RADIUS_Y = 0.95, 1.25  # of the ellipsoid that carries the features
LARGEST_SCALE = 1.05  # of a head, in half frames: bounds the windows below
ROLL_MARGIN = 1.12  # windows are upright; a rolled feature needs this much more room


def bump(square: np.ndarray) -> np.ndarray:
    """Return (1 - r^2)^2 inside the unit radius and exactly 0 outside, from r^2: a smooth spot that stays local."""
    inside = 1.0 - square
    np.maximum(inside, 0.0, out=inside)
    inside *= inside
    return inside


def cover(distance: np.ndarray, sharp: np.ndarray) -> np.ndarray:
    """Return the share of a pixel inside a shape, from its signed distance (< 0 inside) and 1 / pixel pitch."""
    amount = distance * -sharp
    amount += 0.5
    return amount.clip(0.0, 1.0, out=amount)


def line(distance: np.ndarray, thickness: np.ndarray | float, sharp: np.ndarray) -> np.ndarray:
    """Return the share of a pixel under a line of this half thickness; thinner than a pixel, it fades."""
    reach = np.maximum(thickness * sharp, 0.35)
    amount = np.abs(distance) * -sharp
    amount += 0.5 + reach
    amount.clip(0.0, 1.0, out=amount)
    amount *= np.minimum(thickness * sharp / 0.35, 1.0)
    return amount


def smooth(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Rise from 0 at `low` to 1 at `high` (either order) as 3t^2 - 2t^3."""
    t = value - low
    t *= 1.0 / (high - low)
    t.clip(0.0, 1.0, out=t)
    rise = t * -2.0
    rise += 3.0
    rise *= t
    rise *= t
    return rise


@dataclass
class View:
    """Pixels of n posed heads: head-plane coordinates (px, py), canonical ones (x, y), 1 / pixel pitch; [n, s, s]."""

    pose: Pose
    side: int
    plane_x: np.ndarray
    plane_y: np.ndarray
    x: np.ndarray
    y: np.ndarray
    sharp: np.ndarray

    @classmethod
    def of(cls, pose: Pose, side: int) -> View:
        """Compute the coordinates of a frame of side x side pixels; `pose` is shaped over images."""
        grid = ((np.arange(side, dtype=np.float32) + 0.5) * (2.0 / side) - 1.0).astype(np.float32)
        across, down = grid[None, None, :] - pose.shift_x, grid[None, :, None] - pose.shift_y
        cos, sin = np.cos(pose.roll) / pose.scale, np.sin(pose.roll) / pose.scale
        plane_x = across * cos + down * sin
        plane_y = down * cos - across * sin
        unit_x, unit_y = plane_x * (1 / RADIUS_X), plane_y * (1 / RADIUS_Y)
        depth = np.sqrt(np.maximum(1.0 - unit_x * unit_x - unit_y * unit_y, 0.02))
        toward = unit_x * np.sin(pose.yaw) + depth * np.cos(pose.yaw)
        x = (unit_x * np.cos(pose.yaw) - depth * np.sin(pose.yaw)) * RADIUS_X
        y = (unit_y * np.cos(pose.pitch) - toward * np.sin(pose.pitch)) * RADIUS_Y
        return cls(pose, side, plane_x, plane_y, x, y, sharp=pose.scale * (side / 2))

    def band(self, top: float, bottom: float) -> View:
        """Return the view of the rows between two heights of the frame, in [0, 1]; see `Surface.band`."""
        rows = _rows_between(self.side, top, bottom)
        planes = (plane[:, rows] for plane in (self.plane_x, self.plane_y, self.x, self.y))
        return View(self.pose, self.side, *planes, sharp=self.sharp)

    def project(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixel (column, row) of canonical points, both float [n]."""
        pose = self.pose
        yaw, pitch, roll = pose.yaw.ravel(), pose.pitch.ravel(), pose.roll.ravel()
        unit_x, unit_y = x / RADIUS_X, y / RADIUS_Y
        depth = np.sqrt(np.maximum(1.0 - unit_x**2 - unit_y**2, 0.02))
        toward = depth * np.cos(pitch) - unit_y * np.sin(pitch)
        unit_y = unit_y * np.cos(pitch) + depth * np.sin(pitch)
        plane_x = (unit_x * np.cos(yaw) + toward * np.sin(yaw)) * RADIUS_X
        plane_y = unit_y * RADIUS_Y
        scale = pose.scale.ravel()
        column = pose.shift_x.ravel() + scale * (plane_x * np.cos(roll) - plane_y * np.sin(roll))
        row = pose.shift_y.ravel() + scale * (plane_x * np.sin(roll) + plane_y * np.cos(roll))
        return (column + 1) * (self.side / 2) - 0.5, (row + 1) * (self.side / 2) - 0.5


class Window:
    """A small upright rectangle of every image around a feature; what is drawn in it costs only its own pixels."""

    def __init__(self, view: View, x: np.ndarray, y: np.ndarray, half_width: float, half_height: float):
        """Centre a window of fixed pixel size on canonical points x, y [n]."""
        half = LARGEST_SCALE * ROLL_MARGIN * view.side / 2
        self.height = min(view.side, 2 * int(np.ceil(half_height * half)))
        self.width = min(view.side, 2 * int(np.ceil(half_width * half)))
        column, row = view.project(np.asarray(x), np.asarray(y))
        self.left = np.clip(np.rint(column + 0.5 - self.width / 2), 0, view.side - self.width).astype(np.intp)
        self.top = np.clip(np.rint(row + 0.5 - self.height / 2), 0, view.side - self.height).astype(np.intp)
        self.rows = np.arange(len(self.top))

    def take(self, plane: np.ndarray) -> np.ndarray:
        """Copy the window out of [n, s, s] or [n, c, s, s]; [n, h, w] or [n, c, h, w]."""
        return self._blocks(plane, writeable=False)[self._where(plane)]

    def put(self, plane: np.ndarray, patch: np.ndarray) -> None:
        """Write a patch back to where `take` found it."""
        self._blocks(plane, writeable=True)[self._where(plane)] = patch

    def _blocks(self, plane: np.ndarray, *, writeable: bool) -> np.ndarray:
        """View a plane as every block of the window's size that it holds, [n, (c,) tops, lefts, h, w]."""
        *lead, tall, wide = plane.shape
        shape = (*lead, tall - self.height + 1, wide - self.width + 1, self.height, self.width)
        return as_strided(plane, shape, plane.strides + plane.strides[-2:], writeable=writeable)

    def _where(self, plane: np.ndarray) -> tuple:
        return (self.rows, *[slice(None)] * (plane.ndim - 3), self.top, self.left)


class Patch:
    """A window being drawn in: its coordinates, its colours (`albedo`) and its relief (`height`)."""

    def __init__(self, view: View, surface: Surface, window: Window):
        self.window, self.surface, self.sharp = window, surface, view.sharp
        self.x, self.y = window.take(view.x), window.take(view.y)
        self.albedo, self.height = window.take(surface.albedo), window.take(surface.height)

    def paint(self, colour: np.ndarray | float, amount: np.ndarray) -> None:
        """Blend a colour [n, c, 1, 1] (or [n, c, h, w]) over the patch where amount [n, h, w] > 0."""
        _blend(self.albedo, colour, amount)

    def shade(self, amount: np.ndarray) -> None:
        """Darken by a factor 1 - amount [n, h, w]."""
        self.albedo *= 1.0 - amount[:, None]

    def done(self) -> None:
        """Write the patch back to the surface."""
        self.window.put(self.surface.albedo, self.albedo)
        self.window.put(self.surface.height, self.height)


@dataclass
class Surface:
    """What the light falls on: albedo [n, c, s, s] in [0, 1], relief [n, s, s] (half head heights), and where it is
    a lit solid rather than backdrop, lit [n, s, s] in [0, 1]."""

    albedo: np.ndarray
    height: np.ndarray
    lit: np.ndarray

    def paint(self, colour: np.ndarray | float, amount: np.ndarray) -> None:
        """Blend a colour [n, c, 1, 1] (or [n, c, s, s]) over the surface where amount [n, s, s] > 0."""
        _blend(self.albedo, colour, amount)

    def band(self, top: float, bottom: float) -> Surface:
        """Return the rows between two heights of the frame, in [0, 1]; drawing in them draws in this surface."""
        rows = _rows_between(self.height.shape[-1], top, bottom)
        return Surface(self.albedo[:, :, rows], self.height[:, rows], self.lit[:, rows])


def _blend(albedo: np.ndarray, colour: np.ndarray | float, amount: np.ndarray) -> None:
    change = colour - albedo
    change *= amount[:, None]
    albedo += change


def _rows_between(side: int, top: float, bottom: float) -> slice:
    return slice(int(side * top), int(np.ceil(side * bottom)))
