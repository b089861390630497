"""FER2013's reader: every published form gives the same arrays, every fault is one line that says where."""

import gzip
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data.sources import fer2013


def assert_is(rows, fer):
    np.testing.assert_array_equal(rows.images[0 : len(fer.images)][..., 0], fer.images)
    np.testing.assert_array_equal(rows.label, fer.emotion)
    assert [{"train": "Training", "public": "PublicTest", "test": "PrivateTest"}[s] for s in rows.split] == fer.usage
    np.testing.assert_array_equal(rows.id, np.arange(len(fer.images)))


def test_plain_csv(fer, fer_csv):
    assert_is(fer2013.read(fer_csv, quiet=True), fer)


@pytest.mark.parametrize(
    "text",
    [
        lambda f: f.csv(columns=("Usage", "pixels", "emotion")),
        lambda f: f.csv(header=("EMOTION", " Pixels", " usage ")),
        lambda f: f.csv(columns=("pixels", "emotion", "Usage"), source="me", note="a"),
        lambda f: f.csv().replace("\n", "\r\n"),
        lambda f: "\ufeff" + f.csv() + "\n\n",
        lambda f: f.csv().replace("PublicTest", "PUBLICTEST").replace("PrivateTest", " privatetest"),
    ],
    ids=["order", "case", "extra", "crlf", "bom", "usage"],
)
def test_published_variants(fer, tmp_path, text):
    path = tmp_path / "f.csv"
    path.write_text(text(fer), newline="")
    assert_is(fer2013.read(path, quiet=True), fer)


def test_gz_and_zip(fer, tmp_path):
    packed = tmp_path / "fer.csv.gz"
    packed.write_bytes(gzip.compress(fer.csv().encode()))
    assert_is(fer2013.read(packed, quiet=True), fer)
    zipped = tmp_path / "fer.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("fer2013/fer2013.csv", fer.csv())
        z.writestr("fer2013/README", "hello")
    assert_is(fer2013.read(zipped, quiet=True), fer)


def test_the_challenge_archive_holds_other_tables(fer, tmp_path):
    archive = tmp_path / "challenge.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("example_submission.csv", "emotion\n1\n")
        z.writestr(
            "icml_face_data.csv",
            fer.csv(columns=("emotion", "Usage", "pixels"), header=("emotion", " Usage", " pixels")),
        )
    assert_is(fer2013.read(archive, quiet=True), fer)
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("a.csv", "x")
        z.writestr("b.csv", "y")
    with pytest.raises(BadInput, match="expected one .csv file inside, found 'a.csv', 'b.csv'"):
        fer2013.read(archive)


def row(emotion="3", pixels=" ".join(["7"] * 2304), usage="Training"):
    return f"emotion,pixels,Usage\n0,{' '.join(['1'] * 2304)},Training\n{emotion},{pixels},{usage}\n"


FAULTS = {
    "empty file": ("", ["found an empty file"]),
    "header only": ("emotion,pixels,Usage\n", ["found none below the header"]),
    "missing column": ("emotion,pixels\n1,2\n", ["Usage missing", "emotion,pixels"]),
    "few pixels": (row(pixels="1 2 3"), ["row 1", "line 3", "2304 pixels", "found 3"]),
    "many pixels": (row(pixels=" ".join(["1"] * 2305)), ["row 1", "found 2305"]),
    "no pixels": (row(pixels=""), ["row 1", "found no pixels"]),
    "large pixel": (row(pixels=" ".join(["256"] + ["1"] * 2303)), ["row 1", "0 to 255", "found 256"]),
    "huge pixel": (row(pixels=" ".join(["9" * 30] + ["1"] * 2303)), ["row 1", "0 to 255"]),
    "negative pixel": (row(pixels=" ".join(["-1"] + ["1"] * 2303)), ["row 1", "'-1'"]),
    "fraction": (row(pixels=" ".join(["1.5"] + ["1"] * 2303)), ["row 1", "'1.5'"]),
    "glued sign": (row(pixels=" ".join(["3+4"] + ["1"] * 2302)), ["row 1", "'3+4'"]),
    "word": (row(pixels=" ".join(["1"] * 2303 + ["x"])), ["row 1", "'x'"]),
    "label 7": (row(emotion="7"), ["row 1", "0 to 6", "'7'"]),
    "label word": (row(emotion="happy"), ["row 1", "'happy'"]),
    "label -1": (row(emotion="-1"), ["row 1", "'-1'"]),
    "usage": (row(usage="Test"), ["row 1", "PublicTest", "'Test'"]),
    "short row": ("emotion,pixels,Usage\n1,2\n", ["row 0", "3 fields", "found 2"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_say_where(tmp_path, fault):
    text, said = FAULTS[fault]
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(BadInput) as failure:
        fer2013.read(path, quiet=True)
    message = str(failure.value)
    assert "bad.csv" in message
    assert "\n" not in message
    assert len(message) < 400
    for part in said:
        assert part in message


def test_noise_and_absence(tmp_path):
    path = tmp_path / "noise.csv"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(BadInput, match=r"noise\.csv"):
        fer2013.read(path, quiet=True)
    with pytest.raises(BadInput, match="no such file"):
        fer2013.read(tmp_path / "none.csv", quiet=True)
    with pytest.raises(BadInput, match="--from"):
        fer2013.read(None)


HEADER = b"emotion,pixels,Usage\n"
GOOD = b"2," + b" ".join([b"9"] * 2304) + b",Training\n"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=200).map(lambda noise: HEADER + noise),
        st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=8)).map(
            lambda cut: HEADER + GOOD + GOOD[: cut[0]] + cut[1] + GOOD[cut[0] :]
        ),
        st.text('emotionpixelsUsage,"\r\n 0123456789', max_size=200).map(str.encode),
    )
)
def test_any_bytes_give_rows_or_one_line(tmp_path, content):
    path = tmp_path / "fuzz.csv"
    path.write_bytes(content)
    rows, message = None, ""
    try:
        rows = fer2013.read(path, quiet=True)
    except BadInput as error:
        message = str(error)
    if rows is None:
        assert "fuzz.csv" in message
        assert "\n" not in message
    else:
        assert rows.images.shape == (len(rows.label), 48, 48, 1)
        assert rows.images.dtype == np.uint8
        assert set(rows.label) <= set(range(7))


def folders(root, fer, name=lambda c: c):
    for i, (image, e, u) in enumerate(zip(fer.images, fer.emotion, fer.usage)):
        folder = root / ("train" if u == "Training" else "test") / name(fer2013.CLASSES[e])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i}.png")


SYNONYMS = {"happy": "Happiness", "angry": "ANGER", "surprise": "surprised", "sad": "sadness"}


@pytest.mark.parametrize("inside", ["", "archive/fer"])
@pytest.mark.parametrize("zipped", [False, True])
def test_folders_hold_the_same_faces(fer, tmp_path, inside, zipped):
    root = tmp_path / "set"
    folders(root / inside, fer, lambda c: SYNONYMS.get(c, c))
    if zipped:
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as z:
            for path in sorted(root.rglob("*.png")):
                z.write(path, path.relative_to(root).as_posix())
        root = tmp_path / "set.zip"
    rows = fer2013.read(root, quiet=True)
    want = sorted(
        (("train" if u == "Training" else "test"), int(e), i.tobytes())
        for i, e, u in zip(fer.images, fer.emotion, fer.usage)
    )
    images = rows.images[0 : len(rows)]
    got = sorted((str(s), int(e), i.tobytes()) for i, e, s in zip(images, rows.label, rows.split))
    assert got == want


def test_folder_faults(fer, tmp_path):
    folders(tmp_path, fer)
    with pytest.raises(BadInput, match="aligned with the rows"):
        fer2013.read(tmp_path, ferplus=tmp_path / "votes.csv")
    strange = tmp_path / "train" / "bored"
    strange.mkdir()
    with pytest.raises(BadInput, match="bored.*found none"):
        fer2013.read(tmp_path)
    Image.fromarray(fer.images[0]).save(strange / "0.png")
    with pytest.raises(BadInput, match="expected a class folder among angry.*'bored'"):
        fer2013.read(tmp_path)


def test_folders_of_another_resolution(tmp_path):
    for name in ("happy", "sad"):
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "train" / name / "0.png")
    with pytest.raises(BadInput, match="48x48 pixels, found 64x64"):
        fer2013.read(tmp_path)
