"""`fergen prepare --align`: class folders of photographs become aligned faces, and what has none is listed."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image

from fergen import main
from fergen.core.errors import BadInput
from fergen.data import align, dataset, face_table, photographs
from fergen.data.archive import open_files
from fergen.data.detect import Face, detector
from fergen.data.images import ImageFiles
from fergen.data.sources import Rows


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two class folders: the astronaut as she is, turned, and beside herself in small; two pictures without a face."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    astronaut = data.astronaut()
    matrix = cv2.getRotationMatrix2D((224, 118), 20, 1.0)
    turned = cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT)
    small = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    both = np.concatenate([astronaut[:256], small], axis=1)
    temple, flower = load_sample_images().images
    root = tmp_path_factory.mktemp("photos")
    for name, picture in {
        "happy/astronaut.png": astronaut,
        "happy/both.png": both,
        "happy/flower.jpg": flower,
        "neutral/turned.png": turned,
        "neutral/temple.jpg": temple,
        "neutral/camera.png": data.camera(),
    }.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path)
    return root


def rows_of(path):
    with path.open() as f:
        return list(csv.DictReader(f))


def prepared(photos, root, *more):
    options = [
        "--from",
        str(photos),
        "--name",
        "mine",
        "--size",
        "48",
        "--channels",
        "1",
        "--root",
        str(root),
        "--quiet",
    ]
    return main.main(["prepare", "folder", *options, *more])


def everything(folder):
    """All images of a prepared set by row id."""
    found = {}
    for split in dataset.spec_of(folder).splits:
        part = dataset.load(folder, split)
        found |= dict(zip(part.rows["id"].tolist(), np.array(part.images)))
    return found


def test_faces_are_found_aligned_and_listed(photos, tmp_path, capsys):
    assert prepared(photos, tmp_path, "--align") == 0
    said = capsys.readouterr().out
    assert "4 of 6 photographs" in said
    assert "2 rows: no face found" in said
    assert "1 of them show several faces" in said
    folder = tmp_path / "mine"
    assert rows_of(folder / "rejects.csv") == [
        {"file": "happy/flower.jpg", "reason": "no face found"},
        {"file": "neutral/temple.jpg", "reason": "no face found"},
    ]
    taken = {row["file"]: row for row in rows_of(folder / "faces.csv")}
    assert sorted(taken) == ["happy/astronaut.png", "happy/both.png", "neutral/camera.png", "neutral/turned.png"]
    assert taken["happy/both.png"]["faces"] == "2"
    assert float(taken["happy/both.png"]["x"]) < 300  # the larger one, on the left
    images = everything(folder)
    assert sorted(images) == [0, 1, 3, 5]  # the rows' numbers in the source
    assert {image.shape for image in images.values()} == {(48, 48, 1)}
    # The turned photograph is upright again.
    picture = np.asarray(Image.open(photos / "happy/astronaut.png"))
    straight = align.crop(picture, detector("mtcnn")(picture)[0]).astype(float)
    assert np.abs(images[0] - straight).mean() < 2
    assert np.abs(images[5] - straight).mean() < 14
    assert prepared(photos, tmp_path, "--align") == 0
    assert capsys.readouterr().out.endswith("nothing done\n")
    assert prepared(photos, tmp_path, "--align", "--margin=0.2") == 0
    assert "nothing done" not in capsys.readouterr().out
    assert np.abs(everything(folder)[0].astype(int) - images[0]).mean() > 5


def test_the_faces_found_given_back_as_boxes_make_the_same_set(photos, tmp_path, capsys):
    assert prepared(photos, tmp_path / "a", "--align") == 0
    table = tmp_path / "faces.csv"
    table.write_text((tmp_path / "a/mine/faces.csv").read_text())
    assert prepared(photos, tmp_path / "b", "--boxes", str(table)) == 0
    assert "2 rows: no row in the table of boxes" in capsys.readouterr().out
    ours, again = everything(tmp_path / "a/mine"), everything(tmp_path / "b/mine")
    assert sorted(ours) == sorted(again)
    assert max(np.abs(ours[i].astype(int) - again[i]).max() for i in ours) <= 2  # written to thousandths of a pixel


def test_boxes_without_points_are_cut_out_as_squares(photos, tmp_path):
    table = tmp_path / "boxes.csv"
    table.write_text(
        "width,height,x,y,file,by\n"
        "100,100,174,60,happy/astronaut.png,me\n"
        "50,50,0,0,./happy/astronaut.png,me\n"
        "60,80,197,116,neutral\\camera.png,me\n"
    )
    assert prepared(photos, tmp_path, "--boxes", str(table)) == 0
    images = everything(tmp_path / "mine")
    assert len(images) == 2
    picture = np.asarray(Image.open(photos / "happy/astronaut.png"))
    wanted = align.crop(picture, Face((174, 60, 100, 100), 1.0))  # the larger of its two
    assert np.abs(images[0].astype(int) - wanted).max() <= 1


def test_without_a_size_faces_are_cut_at_the_usual_one(photos, tmp_path):
    options = ["--from", str(photos), "--name", "mine", "--root", str(tmp_path), "--quiet", "--align", "haar"]
    assert main.main(["prepare", "folder", *options]) == 0
    assert dataset.spec_of(tmp_path / "mine").image_shape == (112, 112, 3)


def test_a_damaged_photograph_stops_or_is_listed(photos, tmp_path, capsys):
    damaged = tmp_path / "photos"
    for name in ("happy/astronaut.png", "neutral/camera.png", "neutral/temple.jpg"):
        path = damaged / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes((photos / name).read_bytes())
    (damaged / "happy/broken.png").write_bytes((photos / "happy/both.png").read_bytes()[:2000])
    assert prepared(damaged, tmp_path, "--align") == 2
    assert "broken.png" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()
    assert prepared(damaged, tmp_path, "--align", "--skip-unreadable") == 0
    rejects = {row["file"]: row["reason"] for row in rows_of(tmp_path / "mine/rejects.csv")}
    assert rejects["happy/broken.png"].startswith("unreadable: ")
    assert rejects["neutral/temple.jpg"] == "no face found"
    assert "1 rows: unreadable" in capsys.readouterr().out


def test_a_sources_own_box_says_which_face(photos):
    files = open_files(photos)
    names = ["happy/both.png", "happy/astronaut.png"]
    # The small one on the right of the first; in the second, a corner without a face.
    images = ImageFiles(files, names, size=48, channels=1, boxes=np.array([[600, 30, 50, 56], [10, 400, 90, 90]]))
    rows = Rows(images, np.array([0, 1], np.int32), np.array(["train"] * 2), np.arange(2), ("happy", "neutral"))
    found = photographs.find(rows, detector("mtcnn"), quiet=True)
    assert found.names == ["happy/both.png"]
    assert found.faces[0].box[0] > 590
    assert found.rejects == [("happy/astronaut.png", "no face in its box")]
    assert found.rows.images[0:1].shape == (1, 48, 48, 1)
    assert found.rows.label.tolist() == [0]


BOX = "file,x,y,width,height\n"


@pytest.mark.parametrize(
    ("arguments", "table", "said"),
    [
        (["--align", "mtcn"], None, "expected one of haar, mtcnn, yunet"),
        (["--align", "yunet:absent.onnx"], None, "no such file"),
        (["--align", "--boxes", "T"], BOX + "happy/astronaut.png,1,2,30,40\n", "expected one of both"),
        (["--margin", "0.1"], None, "goes with --align or --boxes"),
        (["--align", "--margin", "9"], None, "from -0.4 to 2.0 sides of a face, found 9"),
        (["--boxes", "absent.csv"], None, "absent.csv"),
        (["--boxes", "T"], "", "found no file, x, y, width, height"),
        (["--boxes", "T"], "file,x,y\n", "found no width, height"),
        (["--boxes", "T"], BOX, "expected rows below the header"),
        (["--boxes", "T"], BOX + "happy/astronaut.png,1,2,thirty,40\n", "line 2: expected numbers for x, y, width"),
        (["--boxes", "T"], BOX + "happy/astronaut.png,1,2,inf,40\n", "line 2: expected numbers"),
        (["--boxes", "T"], BOX + "happy/astronaut.png,1,2,0,40\n", "at least 1x1 pixels, found 0x40"),
        (["--boxes", "T"], BOX + "happy/astronaut.png,1,2\n", "line 2: expected 5 columns, found 3"),
        (["--boxes", "T"], BOX + ",1,2,30,40\n", "line 2: expected a file name"),
        (["--boxes", "T"], BOX + "happy/nobody.png,1,2,30,40\n", "found 'happy/nobody.png', which is not there"),
        (["--boxes", "T"], BOX + "happy/astronaut.png,900,2,30,40\n", "expected a face box on the 512x512 image"),
        (
            ["--boxes", "T"],
            BOX.strip() + ",nose_x\nhappy/astronaut.png,1,2,30,40,5\n",
            "expected all or none of eye_1_x",
        ),
    ],
)
def test_wrong_options_and_tables_are_one_line_and_status_2(arguments, table, said, photos, tmp_path, capfd):
    if table is not None:
        (tmp_path / "table.csv").write_text(table)
    arguments = [str(tmp_path / "table.csv") if a == "T" else a for a in arguments]
    assert prepared(photos, tmp_path / "root", *arguments) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "root/mine").exists()


def test_photographs_without_any_face_and_sources_of_faces_are_refused(photos, fer_csv, tmp_path, capsys):
    folder = tmp_path / "photos"
    for name in ("happy/flower.jpg", "neutral/temple.jpg"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes((photos / name).read_bytes())
    assert prepared(folder, tmp_path / "root", "--align") == 2
    assert "expected photographs of faces, found none" in capsys.readouterr().err
    arguments = ["prepare", "fer2013", "--from", str(fer_csv), "--root", str(tmp_path / "root"), "--quiet", "--align"]
    assert main.main(arguments) == 2
    assert "faces are cropped already" in capsys.readouterr().err


def test_a_table_is_read_as_it_was_written(tmp_path):
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    faces = [Face((1.0, 2.0, 30.5, 40.25), 0.9, points), Face((-3.0, 4.0, 5.0, 6.0), 0.5)]
    read = face_table.read(face_table.write(tmp_path / "faces.csv", ["a/b, c.png", "d.png"], faces, [1, 2]))
    assert list(read) == ["a/b, c.png", "d.png"]
    assert [read["a/b, c.png"][0].box, read["d.png"][0].box] == [face.box for face in faces]
    np.testing.assert_array_equal(read["a/b, c.png"][0].points, points)
    assert read["d.png"][0].points is None
    (tmp_path / "half.csv").write_text((tmp_path / "faces.csv").read_text().replace("8.000", ""))
    with pytest.raises(BadInput, match="line 2: expected numbers for eye_1_x"):
        face_table.read(tmp_path / "half.csv")
