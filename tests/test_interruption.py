"""Signals to a process that waits for something."""

import signal
import subprocess
import sys
from contextlib import suppress

import pytest

WAITS = """
import threading
from mien.interruption import stopping_on_signals
with stopping_on_signals():
    print("ready", flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_wish_and_one_after_a_second_breaks_off(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sent = 0
        while process.poll() is None:
            process.send_signal(number)
            sent += 1
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
    assert process.returncode == -number
    assert sent >= 3
