"""What every network returns, and what some centre their input by."""

from typing import NamedTuple

from torch import Tensor

#: Networks that always begin at random centre grey values, from 0 to 1, by these.
GREY_MEAN, GREY_DEVIATION = 0.5, 0.25


class NetworkOutput(NamedTuple):
    """Logits (N, C) and embedding (N, D)."""

    logits: Tensor
    embedding: Tensor
