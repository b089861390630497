"""Image files become upright uint8 arrays; damaged or hostile ones a single line."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data import archive, images

RAMP = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8) * 2
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], -1)


def encoded(pixels, form="PNG", mode=None, **options):
    image = Image.fromarray(pixels)
    if mode:
        image = image.convert(mode)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def refused(action, *words):
    with pytest.raises(BadInput) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM", "TIFF"])
def test_lossless_forms_keep_every_byte(form):
    np.testing.assert_array_equal(images.decode(encoded(RAMP, form), channels=1)[:, :, 0], RAMP)
    np.testing.assert_array_equal(images.decode(encoded(COLOUR, form)), COLOUR)


def test_channels_follow_the_file_or_the_request():
    assert images.decode(encoded(RAMP)).shape == (40, 60, 1)
    assert images.decode(encoded(COLOUR)).shape == (40, 60, 3)
    np.testing.assert_array_equal(images.decode(encoded(RAMP), channels=3), np.stack([RAMP] * 3, -1))
    gray = images.decode(encoded(COLOUR), channels=1)[:, :, 0]
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray - luma).max() <= 1
    refused(lambda: images.decode(encoded(RAMP), channels=4), "1 or 3")


def test_odd_modes():
    deep = (RAMP.astype(np.uint16) << 8) + 77
    np.testing.assert_array_equal(images.decode(encoded(deep))[:, :, 0], RAMP)
    alpha = np.concatenate([COLOUR, np.full((40, 60, 1), 255, np.uint8)], -1)
    alpha[:10, :, 3] = 0
    seen = images.decode(encoded(alpha))
    assert (seen[:10] == 0).all()
    np.testing.assert_array_equal(seen[10:], COLOUR[10:])
    assert images.decode(encoded(COLOUR, mode="P")).shape == (40, 60, 3)
    assert images.decode(encoded(COLOUR, "JPEG", mode="CMYK")).shape == (40, 60, 3)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn by 90 degrees clockwise to see it
    turned = images.decode(encoded(RAMP, exif=exif))[:, :, 0]
    np.testing.assert_array_equal(turned, np.rot90(RAMP, -1))


def test_box_is_cut_exactly_and_clipped_at_the_edge():
    cut = images.decode(encoded(RAMP), box=(10, 5, 20, 15))[:, :, 0]
    np.testing.assert_array_equal(cut, RAMP[5:20, 10:30])
    edge = images.decode(encoded(RAMP), box=(50, -2, 15, 12))[:, :, 0]
    np.testing.assert_array_equal(edge, RAMP[:10, 50:])
    for box in [(70, 0, 10, 10), (0, 0, 0, 5), (0, 0, -4, 5), (float("nan"), 0, 5, 5), (55, 0, 50, 50)]:
        refused(lambda box=box: images.decode(encoded(RAMP), box=box, where="a.png"), "a.png", "face box")


def test_shrinking_averages_instead_of_skipping():
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = images.decode(encoded(board), size=16)
    assert small.shape == (16, 16, 1)
    assert np.abs(small.astype(int) - 127).max() <= 2
    assert images.decode(encoded(COLOUR), size=(10, 20)).shape == (10, 20, 3)


def test_damaged_images():
    whole = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), "JPEG")
    refused(lambda: images.decode(whole[: len(whole) // 2], where="a.jpg"), "a.jpg", "truncated")
    png = encoded(COLOUR)
    refused(lambda: images.decode(png[: len(png) // 2], where="a.png"), "a.png", "truncated")
    refused(lambda: images.decode(b"hello", where="a.png"), "a.png", "expected an image")
    refused(lambda: images.decode(b"", where="a.png"), "empty file")


def test_image_that_claims_a_huge_size():
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    for side in (9000, 60000):
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        refused(lambda data=data: images.decode(data, where="bomb.png"), "bomb.png", "64,000,000 pixels")


def test_paths_are_read_too(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(RAMP))
    np.testing.assert_array_equal(images.decode(tmp_path / "a.png")[:, :, 0], RAMP)
    refused(lambda: images.decode(tmp_path / "b.png"), "b.png", "no file")


@pytest.fixture
def folder(tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.png").write_bytes(encoded(RAMP + np.uint8(i)))
    return tmp_path


def test_lazy_images_slice_like_an_array(folder):
    files = archive.open_files(folder)
    lazy = images.ImageFiles(files, files.names)
    assert lazy.shape == (5, 40, 60, 1)
    whole = np.stack([RAMP + np.uint8(i) for i in range(5)])[..., None]
    np.testing.assert_array_equal(lazy[0:5], whole)
    np.testing.assert_array_equal(lazy[3:9], whole[3:9])
    assert lazy[5:9].shape == (0, 40, 60, 1)
    boxes = np.tile([10.0, 5, 20, 15], (5, 1))
    np.testing.assert_array_equal(images.ImageFiles(files, files.names, boxes=boxes)[1:2], whole[1:2, 5:20, 10:30])


def test_lazy_images_notice_another_size_and_colour(folder):
    (folder / "5.png").write_bytes(encoded(COLOUR[:30]))
    files = archive.open_files(folder)
    lazy = images.ImageFiles(files, files.names)
    assert lazy.shape == (6, 40, 60, 3)
    refused(lambda: lazy[4:6], "5.png", "expected 60x40", "found 60x30")
    assert images.ImageFiles(files, files.names, size=24, channels=1)[0:6].shape == (6, 24, 24, 1)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF", "GIF"])
def test_damage_anywhere_is_one_line_or_an_image(form):
    draw = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = encoded(COLOUR, form, **({"exif": exif} if form in ("PNG", "JPEG", "WEBP", "TIFF") else {}))
    shapes, messages = set(), []
    for trial in range(150):
        data = bytearray(whole)
        if trial % 5 == 0:
            del data[draw.integers(len(data)) :]
        else:
            # Headers are where damage does most harm.
            for _ in range(draw.integers(1, 4)):
                data[draw.integers(len(data) if trial % 2 else 60)] = draw.integers(256)
        try:
            shapes.add(images.decode(bytes(data), size=8, channels=3, where="a").shape)
        except BadInput as error:
            messages.append(str(error))
    assert shapes <= {(8, 8, 3)}
    assert messages
    assert not any("\n" in message for message in messages)
