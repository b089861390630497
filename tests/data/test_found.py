"""Faces cut out of photographs."""

import weakref

import numpy as np

from fergen.data import found
from fergen.data.detect import Face
from fergen.data.inputs import Input


def test_faces_outlive_their_photograph():
    """Many faces wait together to be classified: what they were cut from must not wait with them."""
    alive = []

    def decode(size, channels):
        picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
        alive.append(weakref.ref(picture))
        return picture

    def find(picture):
        return [Face((200.0, 20.0, 160.0, 200.0), 1.0), Face((10.0, 30.0, 40.0, 40.0), 2.0)]

    faces = list(found.faces([Input("a.jpg", decode), Input("b.jpg", decode)], find, (48, 48), 1, lambda source: None))
    assert [(face.source, face.box[0]) for face in faces] == [
        ("a.jpg", 10), ("a.jpg", 200), ("b.jpg", 10), ("b.jpg", 200),
    ]  # fmt: skip
    assert [face.decode((48, 48), 1).shape for face in faces] == [(48, 48, 1)] * 4
    assert [face.decode(None, None).shape for face in faces[:2]] == [(40, 40, 3), (found.LOOK, found.LOOK, 3)]
    assert [picture() for picture in alive] == [None, None]
