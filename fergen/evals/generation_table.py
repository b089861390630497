"""Scores of a generator as text tables for the terminal."""

import math
from collections.abc import Mapping, Sequence

# Of a feature space: the first word of a score's name, its label, and digits.
_MEASURES = (
    ("fid", "Fréchet distance", 2),
    ("kid", "kernel distance x 1000", 3),
    ("precision", "precision", 3),
    ("recall", "recall", 3),
    ("density", "density", 3),
    ("coverage", "coverage", 3),
    ("diversity", "diversity over training faces'", 3),
)


def text(scores: Mapping[str, float], classes: Sequence[str]) -> str:
    """Lay out what `fergen.evals.generation.run` measured.

    Args:
        scores: flat.
        classes: class names, for a row each.

    Returns:
        Lines: control per class with 95 % intervals beside the judge's recall on real faces, then a table for each
        feature space with the floor beside each figure, then the nearest training faces.
    """
    parts = [control(scores, classes)] if "control/macro" in scores else []
    spaces = dict.fromkeys(name.split("/")[1] for name in scores if name.startswith("coverage/"))
    parts += [distances(scores, space, classes) for space in spaces]
    if "neighbours/distance" in scores:
        floor = scores.get("floor/neighbours/distance")
        beside = "" if floor is None else f"; held-out faces {floor:.1f}"
        parts.append(f"nearest training face: {scores['neighbours/distance']:.1f} gray levels away{beside}")
    if "reconstruction/mse" in scores:
        parts.append(reconstruction(scores))
    return "\n\n".join(parts)


def control(scores: Mapping[str, float], classes: Sequence[str]) -> str:
    """Lay out control: per class and macro, the judge on generated and on real faces, their ratio, and the guide."""
    guided = "guide/macro" in scores
    rows = [["control, %", "faces", "judge", "judge, real faces", "ratio", *(["guide"] if guided else [])]]
    for name in ("macro", *classes):
        n = scores["control/n" if name == "macro" else f"control/n/{name}"]
        if not n:
            continue
        ratio = "control/ratio" if name == "macro" else f"control/ratio/{name}"
        cells = [_share(scores, f"{kind}/{name}") for kind in ("control", "judge/real")]
        rows.append(
            [name, f"{n:,}", *cells, _share(scores, ratio), *([_share(scores, f"guide/{name}")] if guided else [])]
        )
    lines = _columns(rows)
    if "agreement" in scores:
        lines += f"\njudge and guide agree on {_share(scores, 'agreement')} % of the generated faces"
    return lines


def distances(scores: Mapping[str, float], space: str, classes: Sequence[str]) -> str:
    """Lay out a feature space: each figure beside the floor, of all classes together and per class."""
    rows = [[f"features {space}", "generated", "floor: real held-out"]]
    rows.append(["faces", f"{scores['n']:,}", f"{scores['n']:,}"])
    rows += [[label, *_pair(scores, f"{measure}/{space}", digits)] for measure, label, digits in _MEASURES]
    for name in classes:
        if f"kid/{space}/{name}" in scores:
            n = [f"{scores[f'{side}n/{name}']:,}" for side in ("", "floor/") if f"{side}n/{name}" in scores]
            rows.append([f"{name}: faces", *n])
            for measure, label, digits in _MEASURES:
                if measure == "fid":
                    label += f", of {scores[f'n/fid/{name}']:,} a side"
                rows.append([f"{name}: {label}", *_pair(scores, f"{measure}/{space}/{name}", digits)])
    return _columns([row for row in rows if any(row[1:])])


def reconstruction(scores: Mapping[str, float]) -> str:
    """Lay out how an autoencoder gives held-out faces back."""
    start = "reconstruction/"
    rows = [["held-out faces given back", f"{scores[f'{start}n']:,}"]]
    plain = {"mse": "mean squared error, pixels in [-1, 1]", "ssim": "structural similarity", "kl": "KL, nats per face"}
    for name, value in scores.items():
        measure, _, part = name.removeprefix(start).partition("/")
        if not name.startswith(start) or measure == "n":
            continue
        label = plain.get(measure, measure.replace("_", " ")) + (f": {part}" if part else "")
        rows.append([label, f"{value:.4g}"])
    return _columns(rows)


def _pair(scores: Mapping[str, float], name: str, digits: int) -> list[str]:
    return [_figure(scores, side + name, digits) for side in ("", "floor/")]


def _figure(scores: Mapping[str, float], name: str, digits: int) -> str:
    if name not in scores:
        return ""
    factor = 1000 if "kid/" in name else 1
    sd = f" ± {factor * scores[f'{name}.sd']:.{digits}f}" if f"{name}.sd" in scores else ""
    return f"{factor * scores[name]:.{digits}f}{sd}"


def _share(scores: Mapping[str, float], name: str) -> str:
    """Write a share in percent with its interval."""
    value = scores[name]
    if math.isnan(value):
        return "undefined"
    low, high = scores[f"{name}.low"], scores[f"{name}.high"]
    interval = "" if math.isnan(low) else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * value:.1f}{interval}"


def _columns(rows: Sequence[Sequence[str]]) -> str:
    width = max(map(len, rows))
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    widths = [max(len(row[i]) for row in filled) for i in range(width)]
    return "\n".join("   ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in filled)
