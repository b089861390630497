"""Which split a row belongs to, and which test rows are pixel-identical to training rows.

Both go by a digest of the pixels alone, so the choice is the same on every machine, in every order of the rows, and
for every copy of an image: twins fall together.
"""

import hashlib

import numpy as np

VALIDATION_SHARE = 10
"""One in so many training images, by digest, is validation."""


def digest(image: np.ndarray) -> bytes:
    """Return 16 bytes that identify an image's pixels and shape.

    Args:
        image: uint8 [h, w, c].
    """
    shape = "x".join(map(str, image.shape)).encode()
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16, person=shape[:16]).digest()


def is_validation(image_digest: bytes) -> bool:
    """Whether an image of the training part belongs to validation: a tenth of all digests."""
    return int.from_bytes(image_digest[:8], "big") % VALIDATION_SHARE == 0


def destination(split: str, image_digest: bytes, *, carve: bool, official: bool) -> str:
    """Return the split in which a row is stored.

    Args:
        split: the source's own split of the row.
        image_digest: from `digest`.
        carve: validation is cut out of the training part.
        official: the public part is stored as validation, for comparison with papers that select on it.
    """
    if official and split == "public":
        return "validation"
    if carve and split == "train" and is_validation(image_digest):
        return "validation"
    return split


def twins(digests: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Flag rows outside the training part whose pixels also occur in the training part.

    Args:
        digests: bytes [n] of all rows of the source.
        split: str [n], the SOURCE's own split of each row. "train" is the training part, whatever of it became
            validation, and so is a "validation" that the source brings; PublicTest is not, even where it is stored as
            validation: those rows stay flagged.

    Returns:
        bool [n], False for every row of the training part.
    """
    training = np.isin(split, ("train", "validation"))
    return ~training & np.isin(digests, digests[training])
