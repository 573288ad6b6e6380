"""A window on the screen that shows pictures and takes keys."""

import os
import subprocess
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import WindowError

Image = NDArray[np.uint8]

#: A window opens no larger than that, in pixels.
MOST_WIDTH, MOST_HEIGHT = 1280, 720
#: A display that has not opened a window after so long is none.
PATIENCE_S = 20.0
#: Keys have ASCII codes; what comes above are arrows and the like.
ASCII = range(128)


class Window:
    """A window of OpenCV's, for the main thread.

    Call `check_display` first: without a display, OpenCV ends the process.

    Args:
        title: what its frame says; no other window may have the same.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._is_sized = False
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # about its missing fonts
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(title, flags)

    def show(self, image_rgb: Image) -> None:
        """Show a picture (H, W, 3); the first one gives the window its size."""
        height, width = image_rgb.shape[:2]
        if not self._is_sized:
            scale = min(1.0, MOST_WIDTH / width, MOST_HEIGHT / height)
            cv2.resizeWindow(self._title, round(scale * width), round(scale * height))
            self._is_sized = True
        cv2.imshow(self._title, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))

    def key(self) -> str:
        """The key that was pressed last, as a character; "" if there was none."""
        code = cv2.pollKey()
        return chr(code) if code in ASCII else ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it."""
        try:
            visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE)
        except cv2.error:  # what Qt says once its last window is closed
            return False
        # macOS calls a window invisible that is only put away, and -1 one that is not there.
        return visible >= 0 if sys.platform == "darwin" else visible > 0

    def close(self) -> None:
        """Take it from the screen."""
        if self.is_open:
            cv2.destroyWindow(self._title)


def check_display() -> None:
    """Find out whether a window can be opened.

    Where the X Window System is at home, another process tries: OpenCV aborts on a dead display.

    Raises:
        WindowError: there is no display, or this OpenCV has no windows.
    """
    try:
        cv2.pollKey()
    except cv2.error as error:
        raise WindowError(
            "the OpenCV that is installed has no windows, as in opencv-python-headless; "
            "expected opencv-python"
        ) from error
    if sys.platform in ("win32", "darwin") or _another_process_opens_one():
        return
    name = os.environ.get("DISPLAY")
    why = f"DISPLAY is {name}" if name else "DISPLAY is not set"
    raise WindowError(f"there is no display to open a window on ({why})")


def _another_process_opens_one() -> bool:
    command = [sys.executable, "-c", "import cv2; cv2.namedWindow('mien')"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
