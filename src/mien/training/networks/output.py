"""What every network takes and returns."""

from typing import NamedTuple

from torch import Tensor

#: Networks take grey values from 0 to 1 and centre them by these.
GREY_MEAN, GREY_DEVIATION = 0.5, 0.25


class NetworkOutput(NamedTuple):
    """Logits (N, C) and embedding (N, D)."""

    logits: Tensor
    embedding: Tensor
