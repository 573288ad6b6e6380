"""ONNX Runtime sessions that share a machine well."""

import os
from contextlib import suppress
from pathlib import Path

# From 1.29 on, ONNX Runtime reports to its maker unless this is set before it is loaded. For the
# same reason no other module loads it first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime

from mien.errors import ConfigError

onnxruntime.disable_telemetry_events()  # on Windows the variable is not asked

DEVICES = ("cpu", "cuda", "auto")
#: More than any machine has cores.
MOST_THREADS = 1024
CUDA = "CUDAExecutionProvider"
#: The share of the processor that a container was given: microseconds, of so many (cgroup 2).
GRANTED = Path("/sys/fs/cgroup/cpu.max")


def create_session(
    content: bytes, device: str = "cpu", threads: int = 0
) -> onnxruntime.InferenceSession:
    """Open a network.

    Args:
        content: the ONNX file.
        device: "cpu", "cuda", or "auto" for CUDA where it is there.
        threads: how many threads one call may take; 0 for one per usable core.

    Raises:
        ConfigError: there is no such device here, or no such number of threads.
    """
    if not isinstance(threads, int | np.integer) or not 0 <= threads <= MOST_THREADS:
        raise ConfigError(
            f"threads is {threads!r}, expected a whole number from 0 to {MOST_THREADS:,}"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads) or _confined_to()
    options.log_severity_level = 4  # errors are raised
    # Threads that spin while they wait would take the cores from a second session.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        content, options, providers=_providers(device), enable_fallback=0
    )
    if device == "cuda" and session.get_providers()[0] != CUDA:
        raise ConfigError(
            "device is 'cuda', but ONNX Runtime could not open it: its CUDA libraries are missing"
        )
    return session


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, granted_cores() or cores)


def granted_cores() -> int:
    """The cores that a container was given where they are fewer than the machine's; else 0.

    Libraries that count the cores take all of the machine's.
    """
    with suppress(OSError, ValueError):
        granted, period = map(int, GRANTED.read_text(encoding="ascii").split())
        if granted < period * (os.cpu_count() or 1):
            return max(1, granted // period)
    return 0


def _confined_to() -> int:
    """The cores that this process may use where they are fewer than the machine's; else 0.

    ONNX Runtime, left to itself, binds its threads to other cores too.
    """
    cores = usable_cores()
    return cores if cores < (os.cpu_count() or 1) else 0


def _providers(device: str) -> list[str]:
    if device not in DEVICES:
        raise ConfigError(f"device is {device!r}, expected one of {', '.join(DEVICES)}")
    has_cuda = CUDA in onnxruntime.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise ConfigError(
            "device is 'cuda', but this ONNX Runtime has no CUDA; "
            "install onnxruntime-gpu in place of onnxruntime"
        )
    if device == "cpu" or not has_cuda:
        return ["CPUExecutionProvider"]
    return [CUDA, "CPUExecutionProvider"]
