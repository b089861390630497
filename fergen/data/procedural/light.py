"""Light the drawn surface and photograph it: Lambert shading from the relief, a highlight, lens and sensor."""

from __future__ import annotations

import numpy as np

from fergen.data.procedural.canvas import Surface, View
from fergen.data.procedural.parameters import Photo

KNEE = 0.72  # brightness above which the sensor's response flattens, so that pale skin keeps its shading


def light(view: View, surface: Surface, photo: Photo) -> np.ndarray:
    """Shade the surface by a key light, its reflection and the ambient light; [n, c, s, s].

    The normal is that of a sphere-like head, tilted by the finite differences of the relief (bump mapping, Blinn
    1978); the highlight is Blinn-Phong's with the viewer on the z axis.
    """
    swing = 0.22 * np.sin(view.pose.yaw)
    normal_x = np.clip((view.plane_x - swing) * 1.05, -0.92, 0.92)
    normal_y = np.clip(view.plane_y * 0.72, -0.85, 0.85)
    normal_z = np.sqrt(np.maximum(1.0 - normal_x * normal_x - normal_y * normal_y, 0.08))
    pitch = view.sharp * 0.5
    cos, sin = np.cos(view.pose.roll) * pitch, np.sin(view.pose.roll) * pitch
    across, down = np.zeros_like(surface.height), np.zeros_like(surface.height)
    across[:, :, 1:-1] = surface.height[:, :, 2:] - surface.height[:, :, :-2]
    down[:, 1:-1] = surface.height[:, 2:] - surface.height[:, :-2]
    normal_x -= across * cos + down * sin
    normal_y -= down * cos - across * sin
    norm = 1.0 / np.sqrt(normal_x * normal_x + normal_y * normal_y + normal_z * normal_z)

    to_x, to_y, to_z = photo.light[:, 0], photo.light[:, 1], photo.light[:, 2]
    lambert = (normal_x * to_x + normal_y * to_y + normal_z * to_z) * norm
    bright = photo.ambient * (0.82 + 0.18 * normal_z * norm) + 1.05 * photo.key * np.maximum(lambert, 0.0)
    bright += 0.16 * photo.key * np.maximum(-lambert, 0.0)
    half = 1.0 / np.sqrt(2.0 + 2.0 * to_z)
    gleam = (normal_x * to_x + normal_y * to_y + normal_z * (to_z + 1.0)) * norm * half
    gleam = np.square(np.square(np.square(np.maximum(gleam, 0.0))))
    gleam = gleam * gleam * surface.lit * photo.shine
    bright = 1.0 + (bright - 1.0) * surface.lit
    return surface.albedo * bright[:, None] + gleam[:, None]


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Average [n, c, s, s] over the area of each pixel of a coarser grid; [n, c, size, size]."""
    side = images.shape[-1]
    if side == size:
        return images
    edges = np.arange(size + 1, dtype=np.float64) * (side / size)
    low, high = np.maximum(edges[:-1, None], np.arange(side)), np.minimum(edges[1:, None], np.arange(side) + 1)
    weights = (np.maximum(high - low, 0.0) * (size / side)).astype(np.float32)
    return weights @ images @ weights.T


def develop(images: np.ndarray, photo: Photo, noise: np.ndarray) -> np.ndarray:
    """Apply exposure, contrast, lens blur and sensor noise; uint8 [n, size, size, c].

    Args:
        images: float32 [n, c, size, size] in [0, about 1].
        photo: camera parameters, shaped over images.
        noise: float32 [n, size, size], standard normal; the same for every channel.
    """
    images = images * photo.exposure[:, None]
    images = 0.45 + (images - 0.45) * photo.contrast[:, None]
    images -= 0.55 * np.maximum(images - KNEE, 0.0)
    soft = 0.25 * photo.blur[:, None]
    images = _blur(_blur(images, soft, axis=-1), soft, axis=-2)
    images = images + (photo.noise * noise)[:, None]
    return np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8).transpose(0, 2, 3, 1)


def _blur(images: np.ndarray, soft: np.ndarray, axis: int) -> np.ndarray:
    """Mix each pixel with its two neighbours along an axis, (soft, 1 - 2 soft, soft); the border repeats."""
    moved = np.moveaxis(images, axis, -1)
    near = np.concatenate([moved[..., :1], moved[..., :-1]], axis=-1)
    far = np.concatenate([moved[..., 1:], moved[..., -1:]], axis=-1)
    return np.moveaxis(moved + soft * (near + far - 2.0 * moved), -1, axis)
