"""Generated faces: one latent under every emotion, ways between latents, and samples beside the faces they resemble."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fergen.show import sheets


def grid(
    images: np.ndarray, path: str | Path, *, classes: Sequence[str] | None = None, title: str | None = None
) -> Path:
    """Write samples, a row per emotion, a column per latent.

    Args:
      images: uint8 [rows, columns, h, w, c].
      path: the PNG file.
      classes: the rows' emotions; None for an unconditional generator.
      title: a line above all.

    Returns:
      The path.
    """
    return sheets.grid(images, path, labels=classes, title=title)


def interpolation(
    images: np.ndarray, path: str | Path, *, classes: Sequence[str] | None = None, title: str | None = None
) -> Path:
    """Write the ways between two latents, a row per emotion, with the share of the way above each column.

    Args:
      images: uint8 [rows, columns, h, w, c], at least two columns.
      path: the PNG file.
      classes: the rows' emotions; None for an unconditional generator.
      title: a line above all.

    Returns:
      The path.
    """
    way = [f"{t:.2f}" for t in np.linspace(0, 1, images.shape[1])]
    return sheets.grid(images, path, labels=classes, headings=way, title=title)


def sweep(
    images: np.ndarray, path: str | Path, *, headings: Sequence[str], classes: Sequence[str] | None = None
) -> Path:
    """Write faces under several values of an option, a row per emotion, the values above the columns.

    Args:
      images: uint8 [rows, columns, h, w, c].
      path: the PNG file.
      headings: one for each column.
      classes: the rows' emotions; None for an unconditional generator.

    Returns:
      The path.
    """
    return sheets.grid(images, path, labels=classes, headings=headings)


def mixture(images: np.ndarray, path: str | Path, *, classes: Sequence[str] | None = None) -> Path:
    """Write mixed styles: the fine ones' faces on top, the coarse ones' on the left.

    Args:
      images: uint8 [1 + rows, 1 + columns, h, w, c].
      path: the PNG file.
      classes: the rows' emotions; None for an unconditional generator.

    Returns:
      The path.
    """
    names = None if classes is None else ["", *classes]
    return sheets.grid(images, path, labels=names, headings=["coarse"] + ["fine"] * (images.shape[1] - 1), apart=1)


def relabelled(images: np.ndarray, path: str | Path, *, classes: Sequence[str]) -> Path:
    """Write real faces, a row each: the face, its reconstruction, and the face under every label.

    Args:
      images: uint8 [n, 2 + k, h, w, c].
      path: the PNG file.
      classes: the k labels.

    Returns:
      The path.
    """
    return sheets.grid(images, path, headings=["face", "given back", *classes], apart=2)


def neighbours(
    samples: np.ndarray,
    faces: np.ndarray,
    distances: np.ndarray,
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    face_names: Sequence[Sequence[str]] | None = None,
    title: str | None = None,
) -> Path:
    """Write each sample beside its nearest training faces and how far they are: copies would show.

    Args:
      samples: uint8 [n, h, w, c].
      faces: uint8 [n, k, h, w, c], nearest first.
      distances: float [n, k].
      path: the PNG file.
      names: the samples' emotions.
      face_names: the faces' emotions, n sequences of k.
      title: a line above all.

    Returns:
      The path.
    """
    captions = []
    for i, row in enumerate(distances):
        captions.append(names[i] if names is not None else "")
        for j, distance in enumerate(row):
            captions.append(f"{distance:#.3g}" + (f"\n{face_names[i][j]}" if face_names is not None else ""))
    page = np.concatenate([samples[:, None], faces], axis=1)
    return sheets.grid(page, path, captions=captions, headings=["sample", "nearest"], apart=1, title=title)
