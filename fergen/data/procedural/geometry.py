"""Move a face's features by its action units.

Each unit displaces, opens or creases what its muscle does (Ekman & Friesen, Facial Action Coding System, 1978);
displacements are lengths in half head heights at full intensity, judged by eye against the manual's descriptions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fergen.data.procedural.action_units import UNITS
from fergen.data.procedural.parameters import Columns, Identity


@dataclass(frozen=True)
class Shape(Columns):
    """Where an expressing face has its features. [n], or [n, 2] for the image's left and right side; y is down."""

    brow_inner_x: np.ndarray
    brow_inner_y: np.ndarray
    brow_peak_y: np.ndarray
    brow_outer_y: np.ndarray
    furrow: np.ndarray
    forehead_inner: np.ndarray
    forehead_outer: np.ndarray
    lid_upper: np.ndarray
    lid_lower: np.ndarray
    lid_crease: np.ndarray
    eye_bag: np.ndarray
    crow_feet: np.ndarray
    nose_raise: np.ndarray
    nose_wrinkle: np.ndarray
    nostril: np.ndarray
    cheek: np.ndarray
    cheek_raise: np.ndarray
    fold: np.ndarray
    fold_out: np.ndarray
    marionette: np.ndarray
    dimple: np.ndarray
    corner_x: np.ndarray
    corner_y: np.ndarray
    mouth_y: np.ndarray
    part_upper: np.ndarray
    part_lower: np.ndarray
    square: np.ndarray
    lip_upper: np.ndarray
    lip_lower: np.ndarray
    press: np.ndarray
    jaw: np.ndarray
    chin_boss: np.ndarray


def shape(identity: Identity, units: np.ndarray, sides: np.ndarray) -> Shape:
    """Place every feature of these faces.

    Args:
        identity: the faces at rest, fields [n].
        units: float [n, len(UNITS)] in [0, 1], strengths on the stronger side.
        sides: float [n, 2], factors of the image's left and right side.

    Returns:
        Shape of n faces.
    """
    both = {name: units[:, i, None] * sides for i, name in enumerate(UNITS)}
    whole = {name: strength.mean(axis=1) for name, strength in both.items()}

    def pair(values: np.ndarray) -> np.ndarray:
        return np.repeat(np.asarray(values)[:, None], 2, axis=1)

    def u(number: int) -> np.ndarray:
        return both[f"AU{number}"]

    def w(number: int) -> np.ndarray:
        return whole[f"AU{number}"]

    age, brow = pair(identity.age), pair(identity.brow_y)
    arch = pair(identity.brow_arch)
    opening = pair(identity.eye_open)
    open_eye = (1 - 0.32 * u(7) - 0.22 * u(6) - 0.25 * u(9) - 0.1 * u(4)) * (1 - 0.97 * u(43))
    thin = (1 - 0.55 * w(24)) * (1 - 0.45 * w(23))
    parted = np.maximum(w(25), 0.6 * w(26))
    return Shape(
        brow_inner_x=0.105 - 0.045 * u(4) + 0.01 * u(1),
        brow_inner_y=brow + 0.015 - 0.13 * u(1) - 0.02 * u(2) + 0.095 * u(4) * (1 - 0.6 * u(1)) + 0.03 * u(9),
        brow_peak_y=brow - arch - 0.03 * u(1) - 0.125 * u(2) + 0.06 * u(4) * (1 - 0.3 * u(1)) + 0.02 * u(9),
        brow_outer_y=brow + 0.02 + 0.015 * u(1) - 0.125 * u(2) + 0.025 * u(4),
        furrow=np.clip(u(4) + 0.5 * u(9) + 0.2 * age, 0, 1.2),
        forehead_inner=u(1) * 0.9 + 0.25 * age,
        forehead_outer=u(2) * 0.9 + 0.2 * age,
        lid_upper=(opening * open_eye + 0.05 * u(5)) * (1 - 0.9 * u(43)),
        lid_lower=(opening * 0.62 * (1 - 0.6 * u(7) - 0.45 * u(6) - 0.25 * u(9)) + 0.010 * u(5)) * (1 - 0.4 * u(43)),
        lid_crease=0.042 - 0.026 * u(5) + 0.03 * u(43) - 0.012 * u(4) - 0.015 * u(9),
        eye_bag=np.clip(0.7 * u(6) + 0.55 * u(7) + 0.4 * u(9) + 0.35 * age, 0, 1.2),
        crow_feet=np.clip(0.9 * u(6) * (0.5 + 0.5 * age) + 0.25 * age, 0, 1),
        nose_raise=0.045 * w(9) + 0.015 * w(10),
        nose_wrinkle=w(9),
        nostril=0.25 * w(9) + 0.15 * w(10) + 0.1 * w(20),
        cheek=0.25 + 0.75 * np.clip(0.7 * u(6) + 0.6 * u(12) + 0.3 * u(10) + 0.3 * u(9), 0, 1),
        cheek_raise=0.07 * u(6) + 0.05 * u(12) + 0.03 * u(9),
        fold=np.clip(0.1 + 0.45 * age + 0.75 * u(12) + 0.7 * u(10) + 0.7 * u(9) + 0.2 * u(20) + 0.15 * u(6), 0, 1.0),
        fold_out=0.07 * u(12) + 0.045 * u(20) + 0.03 * u(10),
        marionette=np.clip(0.8 * u(15) + 0.2 * u(17) + 0.35 * age * age, 0, 1),
        dimple=np.clip(u(14) + 0.25 * u(12), 0, 1.1),
        corner_x=pair(identity.mouth_width)
        + 0.065 * u(12) + 0.075 * u(20) + 0.035 * u(14) + 0.02 * u(15) - 0.045 * u(23) - 0.01 * u(26),
        corner_y=pair(identity.mouth_curve)
        - 0.105 * u(12) + 0.085 * u(15) - 0.035 * u(14) + 0.03 * u(20) + 0.03 * u(26) + 0.01 * u(10),
        mouth_y=identity.mouth_y + 0.012 * w(12) - 0.035 * w(17) - 0.02 * w(9) - 0.015 * w(10),
        part_upper=0.018 * parted + 0.012 * w(26)
        + (0.030 * w(10) + 0.028 * w(12) + 0.012 * w(20)) * np.clip(parted * 3, 0, 1),
        part_lower=0.030 * parted + (0.050 * w(16) + 0.030 * w(20)) * np.clip(parted * 3, 0.2, 1) + 0.23 * w(26),
        square=np.clip(0.8 * w(20) + 0.6 * w(10) + 0.6 * w(16), 0, 1) * (1 - 0.6 * w(26)),
        lip_upper=identity.lip_upper * thin * (1 - 0.25 * w(12) - 0.2 * w(20) + 0.1 * w(10)) + 0.008 * w(10),
        lip_lower=identity.lip_lower * thin * (1 - 0.2 * w(12) - 0.15 * w(20)) + 0.015 * w(17) * (1 - w(24)),
        press=np.clip(w(24) + 0.6 * w(23), 0, 1.2),
        jaw=0.16 * w(26),
        chin_boss=w(17),
    )  # fmt: skip
