"""Numbers as callers have them."""

import math
from contextlib import suppress
from typing import Any

import numpy as np


def is_number(value: Any) -> bool:
    """Whether it is a finite number, Python's or NumPy's."""
    with suppress(OverflowError):  # of whole numbers beyond all floats
        return isinstance(value, int | float | np.integer | np.floating) and math.isfinite(value)
    return False
