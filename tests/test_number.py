from typing import Any

import numpy as np
import pytest

from mien.number import is_number


@pytest.mark.parametrize("value", [0, -1.5, 10**300, np.int64(3), np.float16(0.5)])
def test_numbers_of_python_and_numpy_are_numbers(value: Any) -> None:
    assert is_number(value)


@pytest.mark.parametrize("value", [None, "1", float("nan"), np.float32("inf"), 10**400, np.ones(1)])
def test_what_is_no_finite_number_is_none(value: Any) -> None:
    assert not is_number(value)
