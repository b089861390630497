"""Ways from one latent to another."""

import numpy as np


def spherical(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """Go from one Gaussian latent to another along a great circle (Shoemake, 1985, section 3.3).

    In many dimensions nearly all of a Gaussian's mass lies near the sphere of radius sqrt(d); the straight line
    between two of its points leaves that sphere by a factor of up to sqrt(2), into regions that no training saw.

    Args:
        a: float, any shape.
        b: float, of the same shape.
        steps: points on the way, both ends among them, at least 2.

    Returns:
        float32 [steps, *shape], at even steps of the angle between the two.
    """
    t = np.linspace(0, 1, steps).reshape(-1, *[1] * np.ndim(a))
    cosine = np.vdot(a, b) / max(np.linalg.norm(a) * np.linalg.norm(b), np.finfo(np.float32).tiny)
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.sin(angle) < 1e-4:  # parallel: the circle is a line; opposite: there is no one circle
        return ((1 - t) * a + t * b).astype(np.float32)
    return ((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)).astype(np.float32)
