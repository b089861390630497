"""What a detector finds, what it takes for a face, and how long it takes: on photographs, and on made-up scenes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.data import images
from fergen.data.detect import Detector, Face
from fergen.data.photographs import overlap
from fergen.evals import scenes

Box = tuple[float, float, float, float]
HIT = 0.35
"""Overlap, as a share of the union, from which a box found is the face: framings differ between detectors."""
REPEATS = 5
SIDES, ANGLES = (32, 48, 96, 192), (15, 30, 45)
"""Of the scenes: pixels of an upright face's crop, and degrees that one of TURNED pixels is turned by."""
TURNED = 96


class Photograph(NamedTuple):
    """A photograph, uint8 [h, w, c], and its faces' boxes; None where nobody counted them."""

    name: str
    image: np.ndarray
    faces: tuple[Box, ...] | None


# (package, file below it, faces): what ships with packages. The cameraman is seen from the side.
SHIPPED: tuple[tuple[str, str, tuple[Box, ...]], ...] = (
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", ((172, 110, 180, 220),)),
    ("skimage", "data/astronaut.png", ((179, 64, 90, 108),)),
    ("skimage", "data/camera.png", ((197, 116, 60, 80),)),
    ("sklearn", "datasets/images/china.jpg", ()),
    ("sklearn", "datasets/images/flower.jpg", ()),
    ("skimage", "data/coffee.png", ()),
    ("skimage", "data/chelsea.png", ()),
    ("skimage", "data/rocket.jpg", ()),
    ("skimage", "data/motorcycle_left.png", ()),
    ("skimage", "data/page.png", ()),
    ("skimage", "data/brick.png", ()),
    ("skimage", "data/grass.png", ()),
    ("skimage", "data/gravel.png", ()),
)


def shipped() -> Iterator[Photograph]:
    """Yield the photographs that ship with installed packages; scikit-image's are left out where it is not there."""
    import importlib.util

    for package, file, faces in SHIPPED:
        spec = importlib.util.find_spec(package)
        if spec and spec.origin and (path := Path(spec.origin).parent / file).is_file():
            yield Photograph(f"{package}/{path.name}", images.decode(path), faces)


def photographs(folder: str | Path) -> Iterator[Photograph]:
    """Yield the photographs of a folder of the user's, whose faces nobody counted.

    Raises:
        BadInput: no such folder, no image in it, or a damaged one.
    """
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in images.SUFFIXES)
    if not files:
        raise BadInput(f"{folder}: expected a folder with photographs, found none")
    for path in files:
        yield Photograph(path.relative_to(folder).as_posix(), images.decode(path), None)


def matched(found: Sequence[Face], faces: Sequence[Box]) -> tuple[int, int]:
    """Count the faces that were found, and the boxes that are none of them."""
    left = list(faces)
    for face in found:
        near = max(left, key=lambda box: overlap(face.box, box), default=None)
        if near is not None and overlap(face.box, near) >= HIT:
            left.remove(near)
    hits = len(faces) - len(left)
    return hits, len(found) - hits


def on_photographs(find: Detector, pictures: Sequence[Photograph]) -> dict[str, Any]:
    """Let a detector look at photographs.

    Returns:
        `photographs`, `found` (boxes); of those whose faces are known `faces`, `hits`, `false`; `milliseconds`, per
        photograph the best of a few looks, averaged; `megapixels` looked at in all; `each`: name -> hits, false (or
        found), milliseconds.
    """
    each: dict[str, dict[str, Any]] = {}
    for picture in pictures:
        find(picture.image)
        took = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            found = find(picture.image)
            took.append(1000 * (time.perf_counter() - began))
        each[picture.name] = {"found": len(found), "milliseconds": min(took)}
        if picture.faces is not None:
            hits, false = matched(found, picture.faces)
            each[picture.name] |= {"faces": len(picture.faces), "hits": hits, "false": false}
    sums = {key: sum(row.get(key, 0) for row in each.values()) for key in ("found", "faces", "hits", "false")}
    return {
        "photographs": len(each),
        **sums,
        "milliseconds": float(np.mean([row["milliseconds"] for row in each.values()])),
        "megapixels": sum(p.image.shape[0] * p.image.shape[1] for p in pictures) / 1e6,
        "each": each,
    }


def on_scenes(find: Detector, faces: np.ndarray, *, label: str = "", quiet: bool = True) -> dict[str, dict[str, float]]:
    """Let a detector look for cropped faces set into pictures, upright at several sizes and turned by several angles.

    Cropped faces lack forehead, chin and hair, so that these figures are below those of whole heads.

    Args:
        find: the detector.
        faces: uint8 [n, h, w, c].
        label: of the progress.
        quiet: show no progress.

    Returns:
        condition such as "96 px, 30 deg" -> `n`, `found` (share of the faces), `false` (boxes per picture),
        `milliseconds` per picture.
    """
    conditions = {f"{side} px": (side, 0) for side in SIDES} | {f"{TURNED} px, {a} deg": (TURNED, a) for a in ANGLES}
    results = {}
    with Progress(len(conditions) * len(faces), label=label, quiet=quiet) as progress:
        for name, (side, angle) in conditions.items():
            hits, false, took = 0, 0, 0.0
            for scene in scenes.scenes(faces, side=side, angle=angle):
                began = time.perf_counter()
                found = find(scene.image)
                took += time.perf_counter() - began
                x, y = scene.frame @ (0.5, 0.5, 1) - side / 2
                hit, wrong = matched(found, [(x, y, side, side)])
                hits, false = hits + hit, false + wrong
                progress.update()
            n = len(faces)
            results[name] = {"n": n, "found": hits / n, "false": false / n, "milliseconds": 1000 * took / n}
    return results


def table(photographs: Mapping[str, Mapping[str, Any]], scenes: Mapping[str, Mapping[str, Any]]) -> str:
    """Lay out what several detectors did, a column each.

    Args:
        photographs: detector's name -> what `on_photographs` returns.
        scenes: detector's name -> what `on_scenes` returns; empty where no set was asked for.
    """
    names = list(photographs)
    rows: list[tuple[str, list[str]]] = []
    if any(found["faces"] for found in photographs.values()):
        rows.append(("faces found in photographs", [f"{f['hits']} of {f['faces']}" for f in photographs.values()]))
        rows.append(("boxes that are none", [f"{f['false']}" for f in photographs.values()]))
    else:
        rows.append(("boxes in photographs", [f"{f['found']}" for f in photographs.values()]))
    rows.append(("ms a photograph", [f"{f['milliseconds']:.1f}" for f in photographs.values()]))
    for condition in next(iter(scenes.values()), {}):
        found = [scenes[name][condition] for name in names]
        rows.append((f"{condition}: found, %", [f"{100 * f['found']:.1f}" for f in found]))
        rows.append(("  false boxes a picture", [f"{f['false']:.3f}" for f in found]))
        rows.append(("  ms a picture", [f"{f['milliseconds']:.1f}" for f in found]))
    width = max(12, *(len(name) + 2 for name in names))
    lines = [" " * 28 + "".join(f"{name:>{width}}" for name in names)]
    return "\n".join(
        [*lines, *(f"{label:<28}" + "".join(f"{cell:>{width}}" for cell in cells) for label, cells in rows)]
    )
