"""Archives from strangers: read when whole, refused in one line when damaged or hostile."""

import csv
import gzip
import io
import os
import struct
import zipfile

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data import archive, bounded
from fergen.data import files as members_of

TABLE = "emotion,pixels,Usage\n3,0 1 2 255,Training\n6,9 9 9 9,PrivateTest\n"


def packed(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return path


def refused(action, *words):
    with pytest.raises(BadInput) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def drain(path, **options):
    with archive.open_text(path, **options) as f:
        return list(csv.reader(f))


@pytest.mark.parametrize("form", ["plain", "bom", "crlf", "gz", "zip", "zip named csv"])
def test_one_table_reads_the_same_in_every_form(tmp_path, form):
    path = tmp_path / "t.csv"
    if form == "plain":
        path.write_text(TABLE)
    elif form == "bom":
        path.write_bytes(b"\xef\xbb\xbf" + TABLE.encode())
    elif form == "crlf":
        path.write_bytes(TABLE.replace("\n", "\r\n").encode())
    elif form == "gz":
        path = tmp_path / "t.csv.gz"
        path.write_bytes(gzip.compress(TABLE.encode()))
    else:
        path = tmp_path / ("t.zip" if form == "zip" else "t.csv")
        packed(path, {"a/t.csv": TABLE, "__MACOSX/a/._t.csv": "junk", "README": "text"})
    assert drain(path) == list(csv.reader(io.StringIO(TABLE)))


def test_member_is_chosen_by_name(tmp_path):
    path = packed(tmp_path / "t.zip", {"d/train.csv": TABLE, "d/test.csv": "other\n"})
    refused(lambda: drain(path), "one .csv file", "d/train.csv")
    assert drain(path, member="train.csv")[1][0] == "3"
    refused(lambda: drain(path, member="absent.csv"), "absent.csv")


def test_missing_and_misnamed_files(tmp_path):
    refused(lambda: drain(tmp_path / "no.csv"), "no such file")
    refused(lambda: drain(tmp_path), "found a folder")
    (tmp_path / "t.zip").write_text(TABLE)
    refused(lambda: drain(tmp_path / "t.zip"), "expected a .zip")
    (tmp_path / "t.tar.gz").write_bytes(gzip.compress(b"x"))
    refused(lambda: drain(tmp_path / "t.tar.gz"), "tar archive")
    os.mkfifo(tmp_path / "pipe")
    refused(lambda: drain(tmp_path / "pipe"), "pipe")
    refused(lambda: archive.open_files(tmp_path / "no"), "no such file")
    (tmp_path / "t.csv").write_text(TABLE)
    refused(lambda: archive.open_files(tmp_path / "t.csv"), "folder or a .zip")


def test_noise_is_not_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"emotion,pixels\n" + bytes(range(128, 256)))
    refused(lambda: drain(tmp_path / "t.csv"), "UTF-8", "0x80")


def test_truncated_archives(tmp_path):
    noise = os.urandom(60000).hex()
    data = gzip.compress(noise.encode())
    (tmp_path / "t.csv.gz").write_bytes(data[: len(data) // 2])
    refused(lambda: drain(tmp_path / "t.csv.gz"), "damaged")
    path = packed(tmp_path / "t.zip", {"t.csv": noise})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(lambda: drain(path), "damaged")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    path.write_bytes(flipped)
    refused(lambda: drain(path), "damaged")


def test_bombs_are_counted_while_inflating(tmp_path):
    lines = (b"0" * 4095 + b"\n") * (bounded.FREE_BYTES // 4096 + 1)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(lines))
    refused(lambda: drain(tmp_path / "t.csv.gz"), "zip bomb")
    path = packed(tmp_path / "t.zip", {"t.csv": lines, "a/b.png": lines})
    refused(lambda: drain(path), "zip bomb")
    with archive.open_files(path) as files:
        refused(lambda: files.read("a/b.png"), "a/b.png", "zip bomb")


def test_absolute_limit_and_endless_line(tmp_path, monkeypatch):
    (tmp_path / "line.csv").write_bytes(b"1" * (bounded.MAX_LINE + 10))
    refused(lambda: drain(tmp_path / "line.csv"), "line 1 is longer")
    path = packed(tmp_path / "t.zip", {"a.png": os.urandom(5000)}, zipfile.ZIP_STORED)
    monkeypatch.setattr(members_of, "MAX_MEMBER_BYTES", 4000)
    with archive.open_files(path) as files:
        refused(lambda: files.read("a.png"), "at most 4,000 bytes")
    (tmp_path / "f").mkdir()
    (tmp_path / "f/a.png").write_bytes(bytes(5000))
    refused(lambda: archive.open_files(tmp_path / "f").read("a.png"), "4,000 bytes")


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "a\\..\\..\\x.png"])
def test_names_that_leave_the_archive(tmp_path, name):
    path = packed(tmp_path / "t.zip", {"a/ok.png": b"1", name: b"2"})
    refused(lambda: archive.open_files(path), "inside the archive")
    refused(lambda: archive.open_files(tmp_path).read("../t.zip"), "below the folder")


def test_links_encryption_and_odd_methods(tmp_path):
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = 0o120777 << 16
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr(link, "/etc/passwd")
    refused(lambda: archive.open_files(path), "link")

    path = packed(tmp_path / "locked.zip", {"a.png": b"1234"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    refused(lambda: archive.open_files(path), "encrypted")

    path = packed(tmp_path / "xz.zip", {"a.png": b"1234"}, zipfile.ZIP_LZMA)
    refused(lambda: archive.open_files(path), "method 14", "deflate")


def test_overlapping_members(tmp_path):
    """Two central entries over one local file: the trick by which a zip shares its payload."""
    path = packed(tmp_path / "t.zip", {"a.png": os.urandom(100), "b.png": os.urandom(100)})
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    struct.pack_into("<I", data, second + 42, 0)
    path.write_bytes(data)
    refused(lambda: archive.open_files(path), "overlaps")


def test_folder_and_zip_list_alike(tmp_path):
    members = {"s/happy/1.png": b"1", "s/sad/2.png": b"22", "s/.DS_Store": b"x", "Thumbs.db": b"x"}
    for name, data in members.items():
        target = tmp_path / "f" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (tmp_path / "f/s/empty").mkdir()
    path = packed(tmp_path / "t.zip", members | {"s/empty/": b""})
    with archive.open_files(tmp_path / "f") as a, archive.open_files(path) as b:
        assert a.names == b.names == ("s/happy/1.png", "s/sad/2.png")
        assert a.folders == b.folders == ("s", "s/empty", "s/happy", "s/sad")
        assert a.read("s/sad/2.png") == b.read("s/sad/2.png") == b"22"
        assert a.where("s/sad/2.png").endswith("f/s/sad/2.png")
        assert b.where("s/sad/2.png").endswith("t.zip:s/sad/2.png")
        refused(lambda: a.read("s/none.png"), "s/none.png")
        refused(lambda: b.read("s/none.png"), "s/none.png")


def test_links_on_disk_are_followed_but_not_in_a_circle(tmp_path):
    (tmp_path / "real/happy").mkdir(parents=True)
    (tmp_path / "real/happy/1.png").write_bytes(b"1")
    (tmp_path / "f").mkdir()
    (tmp_path / "f/train").symlink_to(tmp_path / "real")
    (tmp_path / "f/test").symlink_to(tmp_path / "real")
    assert archive.open_files(tmp_path / "f").names == ("test/happy/1.png", "train/happy/1.png")
    (tmp_path / "real/happy/up").symlink_to(tmp_path / "real")
    refused(lambda: archive.open_files(tmp_path / "real"), "link")


@pytest.mark.parametrize("form", ["zip", "gz"])
def test_damage_anywhere_is_one_line_or_harmless(tmp_path, form):
    """Whatever byte is flipped and wherever the file ends: the same table, or BadInput; never another exception."""
    draw = np.random.default_rng(0)
    if form == "zip":
        path = packed(tmp_path / "t.zip", {"d/t.csv": TABLE, "d/a.png": b"image"})
        whole = path.read_bytes()
    else:
        path = tmp_path / "t.csv.gz"
        whole = gzip.compress(TABLE.encode(), mtime=0)
    outcomes, messages = set(), []
    for trial in range(400):
        data = bytearray(whole)
        if trial % 4 == 0:
            del data[draw.integers(len(data)) :]
        else:
            for _ in range(draw.integers(1, 4)):
                data[draw.integers(len(data))] = draw.integers(256)
        path.write_bytes(data)
        try:
            drain(path)
            if form == "zip":
                with archive.open_files(path) as files:
                    outcomes.update(len(files.read(name)) for name in files.names)
            outcomes.add("read")
        except BadInput as error:
            messages.append(str(error))
    assert "read" in outcomes
    assert messages
    assert not any("\n" in message for message in messages)
