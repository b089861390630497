"""Which image files are read, and how large they may be; for every decoder, and before any looks at a file."""

from pathlib import Path

from fergen.core.errors import BadInput
from fergen.data.files import MAX_MEMBER_BYTES

# The formats face sets ship in. Each further decoder would only be a further way in for damaged data.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM", "TIFF", "GIF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".pgm", ".ppm", ".tif", ".tiff", ".gif")
MAX_PIXELS = 64_000_000  # 8000 x 8000; a header of a few bytes can claim any size


def load(path: Path) -> bytes:
    """Read an image file whole.

    Raises:
        BadInput: missing, not a file, unreadable, or too large.
    """
    if not path.is_file():
        raise BadInput(f"{path}: expected an image file, found {'no file' if not path.exists() else 'no plain file'}")
    try:
        if path.stat().st_size > MAX_MEMBER_BYTES:
            raise BadInput(f"{path}: larger than {MAX_MEMBER_BYTES:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
