"""A window that shows frames: Tk's, which comes with Python; OpenCV's headless wheel has none."""

import os
import sys

import cv2
import numpy as np

from fergen.core.errors import BadInput

TITLE = "fergen live: q quits"


class Window:
    """A window on the screen.

    Attributes:
        closed: by q, Escape or its own button.

    Raises:
        BadInput: there is no display, or this Python has no Tk; says what to do.
    """

    def __init__(self) -> None:
        try:
            import tkinter
        except ImportError:
            raise BadInput(
                "no window: this Python comes without Tk; install it (python3-tk on Debian, python-tk by Homebrew), or"
                " work without a window: --headless"
            ) from None
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            found = os.environ.get("DISPLAY")
            where = f"DISPLAY={found}" if found else "no DISPLAY" if sys.platform == "linux" else str(error)
            raise BadInput(
                f"no window: expected a display, found {where}; work without: --headless, with --out or --record"
            ) from None
        self.closed = False
        self._root.title(TITLE)
        self._root.resizable(False, False)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        for key in ("q", "Q", "<Escape>"):
            self._root.bind(key, self._close)
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        self._image: tkinter.PhotoImage | None = None

    def show(self, image: np.ndarray) -> None:
        """Show a frame, uint8 [h, w, 3] RGB, and attend to keys."""
        import tkinter

        height, width = image.shape[:2]
        # A margin for the title and the desktop's bars.
        fit = min(1.0, 0.9 * self._root.winfo_screenwidth() / width, 0.85 * self._root.winfo_screenheight() / height)
        if fit < 1:
            image = cv2.resize(image, None, fx=fit, fy=fit, interpolation=cv2.INTER_AREA)
            height, width = image.shape[:2]
        # A portable pixmap is what Tk reads without a copy through PNG.
        data = b"P6 %d %d 255 " % (width, height) + image.tobytes()
        self._image = tkinter.PhotoImage(master=self._root, data=data, format="PPM")
        self._label.configure(image=self._image)
        self._root.update()

    def close(self) -> None:
        """Take it off the screen."""
        self._root.destroy()

    def _close(self, *_) -> None:
        self.closed = True

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_) -> None:
        self.close()
