"""Where a training computes, and how precisely."""

import torch

from mien.errors import ConfigError


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
    """Compute with so many threads on the CPU; 0 leaves the choice to PyTorch."""
    if threads:
        torch.set_num_threads(threads)
