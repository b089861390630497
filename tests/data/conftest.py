"""Small FER2013 files of random pixels, in the layouts that users have."""

import numpy as np
import pytest

USAGES = ["Training"] * 40 + ["PublicTest"] * 6 + ["PrivateTest"] * 5


class Fer:
    """A made-up FER2013: its arrays, and the lines of its CSV."""

    def __init__(self, seed: int = 0):
        rng = np.random.default_rng(seed)
        self.images = rng.integers(0, 256, (len(USAGES), 48, 48), np.uint8)
        self.emotion = rng.integers(0, 7, len(USAGES))
        self.usage = list(USAGES)
        # Twins: within train (3, 4), with another label (5), train to public (40) and to private (46).
        self.images[[4, 5, 40, 46]] = self.images[3]
        self.emotion[[3, 4, 40, 46]] = 2
        self.emotion[5] = 6
        self.images[7] = 128

    def table(self) -> list[dict[str, str]]:
        return [
            {"emotion": str(e), "pixels": " ".join(map(str, image.ravel().tolist())), "Usage": u}
            for e, image, u in zip(self.emotion, self.images, self.usage)
        ]

    def csv(self, columns=("emotion", "pixels", "Usage"), header=None, **more: str) -> str:
        lines = [",".join([*(header or columns), *more])]
        lines += [",".join([*(row[c] for c in columns), *more.values()]) for row in self.table()]
        return "\n".join(lines) + "\n"


@pytest.fixture
def fer():
    return Fer()


@pytest.fixture
def fer_csv(fer, tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(fer.csv())
    return path
