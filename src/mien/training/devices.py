"""Where a training computes, and how precisely."""

import ctypes
import sys

import torch

from mien.errors import ConfigError
from mien.sessions import granted_cores

#: Numbers of options in glibc's malloc.h: from which size on a block lies outside the heap, with
#: the largest value it takes, and how much is free at the heap's end before it is given back.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
LARGEST_THRESHOLD_BYTES = 32 * 2**20


def choose_device(name: str) -> torch.device:
    """The device that "auto", "cpu" or "cuda" stands for here.

    Raises:
        ConfigError: it is "cuda", and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise ConfigError("device is 'cuda', but PyTorch finds no CUDA device here")
    if name == "auto":
        name = "cuda" if has_cuda else "cpu"
    return torch.device(name)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether a step computes in bfloat16: where the device has units for it, unless set."""
    if precision == "auto":
        if device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        capabilities = getattr(torch.cpu, "get_capabilities", None)  # not in older releases
        return capabilities is not None and bool(capabilities().get("avx512_bf16", False))
    return precision == "bfloat16"


def set_threads(threads: int) -> None:
    """Compute with so many threads on the CPU; 0: as PyTorch has it, or the container."""
    if wanted := threads or granted_cores():
        torch.set_num_threads(wanted)


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one, where it is glibc.

    By default it gives most blocks back, and the system clears every page before it comes again.
    """
    if not sys.platform.startswith("linux"):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGEST_THRESHOLD_BYTES)
        set_option(M_TRIM_THRESHOLD, ctypes.c_int(-1))
