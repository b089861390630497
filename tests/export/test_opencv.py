"""Decoding by OpenCV alone: the bits that Pillow gives, upright, within the same bounds."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from skimage import data

from fergen.core.errors import BadInput
from fergen.data import images, opencv

COLOUR, GRAY = data.astronaut()[:240, :320], data.camera()[:200, :150]
ALPHA = np.dstack([COLOUR, np.random.default_rng(0).integers(0, 256, COLOUR.shape[:2], np.uint8)])
LOSSLESS = {"WEBP": {"lossless": True, "exact": True}}


def encoded(image, form: str, orientation: int = 1, **options) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, form, **({"exif": exif} if orientation != 1 else {}), **LOSSLESS.get(form, {}), **options)
    return stream.getvalue()


FILES = {
    "PNG": lambda: encoded(COLOUR, "PNG"),
    "gray PNG": lambda: encoded(GRAY, "PNG"),
    "PNG of 16 bits": lambda: encoded((GRAY.astype(np.uint16) << 8) + 77, "PNG"),
    "PNG of 1 bit": lambda: encoded(GRAY > 99, "PNG"),
    "palette": lambda: encoded(Image.fromarray(COLOUR).quantize(64), "PNG"),
    "transparent PNG": lambda: encoded(ALPHA, "PNG"),
    "JPEG": lambda: encoded(COLOUR, "JPEG"),
    "gray JPEG": lambda: encoded(GRAY, "JPEG"),
    "BMP": lambda: encoded(COLOUR, "BMP"),
    "WebP": lambda: encoded(COLOUR, "WEBP"),
    "PPM": lambda: encoded(COLOUR, "PPM"),
    "PGM": lambda: encoded(GRAY, "PPM"),
    "TIFF": lambda: encoded(COLOUR, "TIFF"),
    "gray TIFF": lambda: encoded(GRAY, "TIFF"),
    "GIF": lambda: encoded(Image.fromarray(COLOUR).quantize(64), "GIF"),
    **{
        f"{form} turned {turn}": lambda form=form, turn=turn: encoded(COLOUR, form, turn)
        for form in ("JPEG", "PNG", "WEBP", "TIFF")
        for turn in range(2, 9)
    },
    "transparent PNG, turned": lambda: encoded(ALPHA, "PNG", 6),
}


@pytest.mark.parametrize("name", FILES)
def test_bits_are_pillows(name):
    file = FILES[name]()
    for channels in (None, 1, 3):
        for size in (None, 48, (31, 177), 500):
            expected = images.decode(file, channels=channels, size=size)
            found = opencv.decode(file, channels=channels, size=size)
            # libjpeg's copies round alike today; of a JPEG one step of difference would be no fault.
            np.testing.assert_allclose(found, expected, rtol=0, atol=int("JPEG" in name))


def test_an_array_is_converted_alike():
    for given in (GRAY[..., None], COLOUR):
        for channels in (1, 3):
            for size in ((48, 48), (300, 20)):
                expected = images.converted(given, size=size, channels=channels)
                np.testing.assert_array_equal(opencv.converted(given, size=size, channels=channels), expected)


def huge() -> bytes:
    """A PNG of a few bytes whose header claims 60,000 x 60,000 pixels."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_damage_is_told_in_one_line(capfd):
    png, jpeg = encoded(COLOUR, "PNG"), encoded(COLOUR, "JPEG")
    thumbnail = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(jpeg) + 2) + jpeg + jpeg[2:]
    assert opencv.decode(thumbnail).shape == COLOUR.shape
    damaged = {
        "no bytes": (b"", "empty file"),
        "noise": (np.random.default_rng(0).bytes(3000), "found something else"),
        "PNG cut": (png[: len(png) // 2], "truncated or damaged"),
        "PNG changed": (png[:5000] + bytes(100) + png[5100:], "truncated or damaged"),
        "JPEG cut": (jpeg[: len(jpeg) // 2], "truncated or damaged"),
        "JPEG without its end": (jpeg[:-2], "truncated or damaged"),
        "JPEG with a whole thumbnail, cut": (thumbnail[:-200], "truncated or damaged"),
        "WebP cut": (encoded(COLOUR, "WEBP")[:3000], "damaged"),
        "BMP cut": (encoded(COLOUR, "BMP")[:3000], "damaged"),
        "TIFF cut": (encoded(GRAY, "TIFF")[:3000], "damaged"),
        "GIF cut": (encoded(Image.fromarray(COLOUR).quantize(64), "GIF")[:3000], "damaged"),
        "too large": (huge(), "expected at most 64,000,000 pixels"),
    }
    for name, (file, said) in damaged.items():
        with pytest.raises(BadInput, match=said):
            opencv.decode(file, where=name)
        with pytest.raises(BadInput):
            images.decode(file, where=name)
    assert capfd.readouterr().err == "", "no library talks beside the one line"


def test_a_missing_file(tmp_path):
    with pytest.raises(BadInput, match="found no file"):
        opencv.decode(tmp_path / "a.png")
