"""Image files into uint8 arrays by OpenCV and numpy alone, as `fergen.data.images` does it with Pillow.

Gray values and the resampling are computed in whole numbers as Pillow computes them: what both decode to the same
pixels gives the same bits at every size. Losslessly stored pixels do; a JPEG's colours may differ by a rounding.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from fergen.core.errors import BadInput
from fergen.data.formats import FORMATS, MAX_PIXELS, load

# OpenCV reads its bound once, as it is loaded; a header of a few bytes can claim any size.
_LIMIT = "OPENCV_IO_MAX_IMAGE_PIXELS"
_before = os.environ.get(_LIMIT)
os.environ[_LIMIT] = str(MAX_PIXELS)
import cv2  # noqa: E402

if _before is None:
    del os.environ[_LIMIT]
else:
    os.environ[_LIMIT] = _before

LUMA = (19595, 38470, 7471)  # of red, green and blue, ITU-R BT.601 in 65536ths
PRECISION = 22  # bits of a weight behind the point
SUPPORT = 2.0  # pixels on either side that a bicubic weight reaches
# EXIF orientation -> axes swapped, rows turned, columns turned; as stored by cameras that were held so.
TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def decode(
    data: bytes | str | Path,
    *,
    where: str | None = None,
    channels: int | None = None,
    size: int | tuple[int, int] | None = None,
) -> np.ndarray:
    """Decode one image file; arguments, result and errors as of `fergen.data.images.decode`, without a box."""
    if isinstance(data, str | Path):
        where = where or str(data)
        data = load(Path(data))
    where = where or "image"
    if not data:
        raise BadInput(f"{where}: expected an image, found an empty file")
    # Before any decoder sees it: OpenCV's fill up what is missing with gray, and its libraries talk.
    if is_cut(data):
        raise BadInput(f"{where}: truncated or damaged image")
    level = cv2.utils.logging.setLogLevel(0)
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise BadInput(f"{where}: expected at most {MAX_PIXELS:,} pixels, found far more") from None
        raise BadInput(f"{where}: truncated or damaged image") from None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if found is None:
        raise BadInput(f"{where}: expected an image ({', '.join(FORMATS)}), found something else, or a damaged one")
    if found.shape[0] * found.shape[1] > MAX_PIXELS:
        raise BadInput(f"{where}: expected at most {MAX_PIXELS:,} pixels, found {found.shape[1]}x{found.shape[0]}")
    if found.dtype not in (np.uint8, np.uint16):
        raise BadInput(f"{where}: expected 8- or 16-bit pixels, found {found.dtype}")
    image = np.asarray(found if found.dtype == np.uint8 else np.right_shift(found, 8), np.uint8)
    image = image[:, :, None] if image.ndim == 2 else image
    if image.shape[2] == 4:
        # Over black; rounded as Pillow does.
        faded = image[..., :3].astype(np.uint32) * image[..., 3:] + 128
        image = ((faded + (faded >> 8)) >> 8).astype(np.uint8)
    if image.shape[2] == 3:
        image = image[..., ::-1]
    return converted(upright(image, orientation(data)), size=size, channels=channels)


def is_cut(data: bytes) -> bool:
    """Whether a JPEG file lacks its end, or a PNG file its end or what its sums say."""
    if data.startswith(b"\xff\xd8"):
        # The last scan is followed by the mark of the end; a thumbnail's scan stands before it, with its own.
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    if not data.startswith(b"\x89PNG"):
        return False
    at, name = 8, b""
    while name != b"IEND":
        if at + 12 > len(data):
            return True
        length, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 4 : at + 8 + length]
        if len(body) != 4 + length or data[at + 8 + length : at + 12 + length] != struct.pack(">I", crc32(body)):
            return True
        at += 12 + length
    return False


def converted(
    image: np.ndarray, *, size: int | tuple[int, int] | None = None, channels: int | None = None
) -> np.ndarray:
    """Bring an array uint8 [h, w, c], c 1 or 3, to (height, width) and channels, as `decode` does with a file."""
    if channels not in (None, 1, 3):
        raise BadInput(f"expected 1 or 3 channels, found {channels}")
    if channels == 1 and image.shape[2] == 3:
        weights = np.asarray(LUMA, np.uint32)
        image = ((image.astype(np.uint32) @ weights + 0x8000) >> 16).astype(np.uint8)[:, :, None]
    elif channels == 3 and image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    height, width = (size, size) if isinstance(size, int) else size or image.shape[:2]
    # Columns first, rounded in between, as Pillow does.
    if width != image.shape[1]:
        image = resampled(image.transpose(1, 0, 2), width).transpose(1, 0, 2)
    if height != image.shape[0]:
        image = resampled(image, height)
    return np.ascontiguousarray(image)


def resampled(image: np.ndarray, size: int) -> np.ndarray:
    """Bring uint8 [n, w, c] to `size` rows: bicubic, averaged over all covered pixels where they become fewer."""
    weights = bicubic(image.shape[0], size)
    out = np.empty((size, *image.shape[1:]), np.uint8)
    # Blocks of columns, for whole numbers in double precision take eight times the room of pixels.
    block = max(1, (1 << 22) // image[:, :1].size)
    for start in range(0, image.shape[1], block):
        part = image[:, start : start + block]
        sums = weights @ part.reshape(len(part), -1).astype(np.float64)
        rounded = np.floor((sums + (1 << (PRECISION - 1))) / (1 << PRECISION)).clip(0, 255)
        out[:, start : start + block] = rounded.reshape(size, *part.shape[1:])
    return out


def bicubic(n: int, size: int) -> np.ndarray:
    """Return the weights float64 [size, n] that bring n rows to `size`: whole numbers, in 2^-22ths."""
    scale = n / size
    stretch = max(scale, 1.0)
    found = np.zeros((size, n))
    for i in range(size):
        centre = (i + 0.5) * scale
        first = max(int(centre - SUPPORT * stretch + 0.5), 0)
        last = min(int(centre + SUPPORT * stretch + 0.5), n)
        weights = cubic((np.arange(first, last) - centre + 0.5) / stretch)
        weights = weights / weights.sum() * (1 << PRECISION)
        found[i, first:last] = np.trunc(weights + np.where(weights < 0, -0.5, 0.5))
    return found


def cubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Return the cubic convolution kernel (Keys 1981) at distances x in pixels."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image [h, w, c] as its EXIF orientation says."""
    swapped, rows, columns = TURNS.get(orientation, (False, False, False))
    image = image.transpose(1, 0, 2) if swapped else image
    return image[:: -1 if rows else 1, :: -1 if columns else 1]


def orientation(data: bytes) -> int:
    """Return the EXIF orientation of a JPEG, PNG or WebP file, 1 where it has none; OpenCV turns TIFF by itself."""
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(b"\x89PNG"):
            return _chunks(data, 8, ">I4s", b"eXIf", 4)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _chunks(data, 12, "<4sI", b"EXIF", 0)
    except (struct.error, IndexError):
        pass
    return 1


def _jpeg(data: bytes) -> int:
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        if data[at + 1] == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return _tag(data[at + 10 : at + 2 + length])
        at += 2 + length
    return 1


def _chunks(data: bytes, at: int, form: str, wanted: bytes, check: int) -> int:
    while at + 8 <= len(data):
        first, second = struct.unpack_from(form, data, at)
        name, length = (first, second) if isinstance(first, bytes) else (second, first)
        if name == wanted:
            return _tag(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + check + (length % 2 if not check else 0)
    return 1


def _tag(block: bytes, wanted: int = 0x0112) -> int:
    """Return the orientation that a block of EXIF tells, in the form of a TIFF file."""
    end: Sequence[str] = {b"II": "<", b"MM": ">"}.get(block[:2], "")
    if not end:
        return 1
    (at,) = struct.unpack_from(f"{end}I", block, 4)
    (count,) = struct.unpack_from(f"{end}H", block, at)
    for i in range(count):
        tag, _, _, value = struct.unpack_from(f"{end}HHIH", block, at + 2 + 12 * i)
        if tag == wanted:
            return value
    return 1
