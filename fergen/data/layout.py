"""A prepared set on disk: its file names and its description, written by `prepare` and read by `dataset`."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fergen.core.errors import BadInput
from fergen.core.paths import read_json, write_json

FORMAT = 1
SPEC = "dataset.json"
AUDIT = "audit.json"


@dataclass(frozen=True)
class DatasetSpec:
    """What a prepared set is.

    Attributes:
        name: its name, the folder's.
        classes: class names in label order.
        image_shape: (h, w, c).
        splits: split -> number of images.
        mean: per channel, of the train split, on float images in [-1, 1].
        std: likewise.
        hash: SHA-256 over the arrays of all splits.
        vocabulary: name of the vocabulary that the classes are; None for classes of the user's own.
        lineage: hashes of the weights and data that made the images, if they were generated.
        source: base name of each file or folder the set came from -> SHA-256.
        options: what preparation was asked for.
    """

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    splits: dict[str, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    hash: str
    vocabulary: str | None = None
    lineage: dict = field(default_factory=dict)
    source: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)


def images_file(folder: Path, split: str) -> Path:
    """Return where a split's images lie: uint8 [n, h, w, c]."""
    return folder / f"{split}.images.npy"


def rows_file(folder: Path, split: str) -> Path:
    """Return where a split's labels and further arrays lie."""
    return folder / f"{split}.rows.npz"


def write_spec(folder: Path, spec: DatasetSpec) -> None:
    """Write a set's description into its folder."""
    write_json(folder / SPEC, {"format": FORMAT, **asdict(spec)})


def read_spec(folder: Path) -> DatasetSpec:
    """Read a set's description.

    Raises:
        BadInput: there is none, it is damaged, or another version of fergen wrote it.
    """
    found = read_json(folder / SPEC)
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise BadInput(f"{folder / SPEC}: expected format {FORMAT}; prepare the set again with `fergen prepare`")
    try:
        spec = DatasetSpec(**found)
        height, width, channels = spec.image_shape
        return replace(
            spec,
            classes=tuple(spec.classes),
            image_shape=(height, width, channels),
            mean=tuple(spec.mean),
            std=tuple(spec.std),
        )
    except (TypeError, ValueError) as error:
        raise BadInput(f"{folder / SPEC}: not the description of a prepared set ({error})") from None
