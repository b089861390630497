"""Image files into uint8 arrays: decode, turn upright, crop to a face, resize."""

import io
import math
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fergen.core.errors import BadInput
from fergen.data.files import Files
from fergen.data.formats import FORMATS, MAX_PIXELS, SUFFIXES, load

__all__ = ["FORMATS", "MAX_PIXELS", "SUFFIXES", "ImageFiles", "converted", "decode", "load"]

MIN_OVERLAP = 0.5  # of a face box that must lie on the image
# Pillow's remarks on odd EXIF blocks and on sizes that are refused below would stand beside the one error line.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
GRAY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I")


def decode(
    data: bytes | str | Path,
    *,
    where: str | None = None,
    channels: int | None = None,
    size: int | tuple[int, int] | None = None,
    box: Sequence[float] | None = None,
) -> np.ndarray:
    """Decode one image file.

    The EXIF orientation is applied before the box. Transparency is laid over black, colour becomes gray by the
    luma of ITU-R BT.601, deep gray keeps its upper 8 bits, animations give their first frame. Shrinking averages
    over all covered pixels (bicubic, antialiased).

    Args:
        data: the file's bytes, or its path.
        where: the file's name for errors; None takes the path.
        channels: 1 or 3; None keeps gray as 1 and anything else as 3.
        size: side in pixels, or (height, width); None keeps the resolution.
        box: face box (x, y, width, height) in pixels of the upright image; None takes all of it. What sticks
            out over the edge is cut off.

    Returns:
        uint8 [h, w, c].

    Raises:
        BadInput: not an image, truncated, too large, or the box lies off the image.
    """
    if isinstance(data, str | Path):
        where = where or str(data)
        data = load(Path(data))
    where = where or "image"
    if not data:
        raise BadInput(f"{where}: expected an image, found an empty file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadInput(f"{where}: expected at most {MAX_PIXELS:,} pixels, found {image.width}x{image.height}")
            image.load()
            return resized(plain_mode(upright(image), channels, where), size, box, where)
    except Image.UnidentifiedImageError:
        raise BadInput(f"{where}: expected an image ({', '.join(FORMATS)}), found something else") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadInput(f"{where}: expected at most {MAX_PIXELS:,} pixels, found far more") from None
    # Pillow's decoders report damage by many types: OSError (truncated), SyntaxError (PNG), struct.error, ...
    except (BadInput, MemoryError):
        raise
    except Exception as error:
        raise BadInput(f"{where}: truncated or damaged image ({error})") from None


def converted(image: np.ndarray, *, size: tuple[int, int] | None, channels: int | None) -> np.ndarray:
    """Bring an array uint8 [h, w, c], c 1 or 3, to (height, width) and channels, as `decode` does with a file."""
    plain = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return resized(plain_mode(plain, channels, "image"), size, None, "image")


def upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; an image whose EXIF block is damaged stays as it is stored."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the block is free-form bytes of a camera; the pixels are whole
        return image


def plain_mode(image: Image.Image, channels: int | None, where: str) -> Image.Image:
    """Bring any pixel mode to "L" or "RGB"."""
    if channels not in (None, 1, 3):
        raise BadInput(f"expected 1 or 3 channels, found {channels}")
    gray = image.mode in GRAY_MODES
    if image.mode in ("F", "I;16N"):
        raise BadInput(f"{where}: expected 8- or 16-bit pixels, found mode {image.mode}")
    if image.mode.startswith("I"):
        # Pillow clips 16-bit gray at 255 when it converts.
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("LA", "La", "RGBA", "RGBa", "PA"):
        image = image.convert("RGBA")
        under = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(under, image).convert("RGB")
    if channels is None:
        channels = 1 if gray else 3
    return image.convert("L" if channels == 1 else "RGB")


def resized(
    image: Image.Image, size: int | tuple[int, int] | None, box: Sequence[float] | None, where: str
) -> np.ndarray:
    """Cut out the box and resize it to (height, width), in one resampling."""
    left, top, right, bottom = 0.0, 0.0, float(image.width), float(image.height)
    if box is not None:
        left, top, right, bottom = clipped(box, image.width, image.height, where)
        # Cut first: `resize` alone would let the filter look at what lies outside of its box.
        x, y = math.floor(left), math.floor(top)
        image = image.crop((x, y, math.ceil(right), math.ceil(bottom)))
        left, top, right, bottom = left - x, top - y, right - x, bottom - y
    if size is None:
        size = max(1, round(bottom - top)), max(1, round(right - left))
    height, width = (size, size) if isinstance(size, int) else size
    if (left, top, right, bottom) != (0, 0, image.width, image.height) or (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, right, bottom))
    pixels = np.asarray(image, np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def clipped(box: Sequence[float], width: int, height: int, where: str) -> tuple[float, float, float, float]:
    """Turn a face box into (left, top, right, bottom) on the image."""
    x, y, w, h = (float(value) for value in box)
    if not (np.isfinite([x, y, w, h]).all() and w >= 1 and h >= 1):
        raise BadInput(
            f"{where}: expected a face box at least 1 pixel wide and high, found x={x:g} y={y:g} {w:g}x{h:g}"
        )
    left, top, right, bottom = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if right - left < 1 or bottom - top < 1 or (right - left) * (bottom - top) < MIN_OVERLAP * w * h:
        raise BadInput(f"{where}: expected a face box on the {width}x{height} image, found x={x:g} y={y:g} {w:g}x{h:g}")
    return left, top, right, bottom


class ImageFiles:
    """Images decoded on access, as `fergen.data.sources.Images` asks.

    Args:
        files: where they lie; kept open as long as this object.
        names: n file names there.
        size: side in pixels, or (height, width); None takes the first image's and expects it of all.
        channels: 1 or 3; None is 3 if any of a sample of the images has colour.
        boxes: float [n, 4] face boxes (x, y, width, height); None takes whole images.

    Raises:
        BadInput: none of the images that fix the shape can be read.
    """

    SAMPLE = 32

    def __init__(
        self,
        files: Files,
        names: Sequence[str],
        *,
        size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        boxes: np.ndarray | None = None,
    ):
        self.files, self.names, self.boxes = files, names, boxes
        self.size = (size, size) if isinstance(size, int) else size
        self.channels = channels
        if self.size is None or channels is None:
            height, width, found = self._look()
            self.channels = channels or found
            self.shape = (len(names), *(self.size or (height, width)), self.channels)
        else:
            self.shape = (len(names), *self.size, channels)

    def _look(self) -> tuple[int, int, int]:
        """Tell height and width of the first image, and the channels that a sample of images needs.

        One that is damaged is passed over here: reading its row is what raises.
        """
        shapes, failure = [], None
        for i in np.unique(np.linspace(0, len(self.names) - 1, min(self.SAMPLE, len(self.names))).astype(int)):
            try:
                shapes.append(self.image(i).shape)
            except BadInput as error:
                failure = failure or error
        if not shapes:
            raise failure or BadInput(f"{self.files.path}: expected images, found none")
        return (*shapes[0][:2], max(shape[2] for shape in shapes))

    def image(self, i: int) -> np.ndarray:
        """Decode image i, uint8 [h, w, c]."""
        name = self.names[i]
        box = None if self.boxes is None else self.boxes[i]
        return decode(
            self.files.read(name), where=self.files.where(name), channels=self.channels, size=self.size, box=box
        )

    def _fitting(self, i: int) -> np.ndarray:
        image = self.image(i)
        if image.shape != self.shape[1:]:
            found, expected = ("x".join(map(str, shape[1::-1])) for shape in (image.shape, self.shape[1:]))
            raise BadInput(
                f"{self.files.where(self.names[i])}: expected {expected} pixels as in "
                f"{self.names[0]}, found {found}; choose a size to resize to"
            )
        return image

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        # Pillow decodes outside the interpreter's lock, so threads use all cores.
        indices = range(len(self))[rows]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            images = list(pool.map(self._fitting, indices))
        return np.stack(images) if images else np.zeros((0, *self.shape[1:]), np.uint8)
