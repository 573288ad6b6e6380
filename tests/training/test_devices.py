import platform
import subprocess
import sys

import pytest

KEEPING = """
import resource
import torch
from mien.training.devices import keep_freed_memory

def pages():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

keep_freed_memory()
before = pages()
block = torch.ones(5_000_000)
del block
print((pages() - before) * resource.getpagesize())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    done = subprocess.run([sys.executable, "-c", KEEPING], capture_output=True, check=True)
    assert int(done.stdout) > 15_000_000
