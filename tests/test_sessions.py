import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien import sessions
from mien.models import read_packaged


def threads_of_a_session(threads: int = 0) -> int:
    session = sessions.create_session(read_packaged("default-int8"), threads=threads)
    return int(session.get_session_options().intra_op_num_threads)


@pytest.mark.parametrize(
    ("granted", "cores"),
    [
        ("350000 100000\n", 3),  # microseconds, of so many
        ("50000 100000\n", 1),
        ("800000 100000\n", 0),
        ("6400000 100000\n", 0),
        ("max 100000\n", 0),
        ("", 0),
    ],
)
def test_a_container_takes_no_more_threads_than_cores_that_it_was_given(
    granted: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(granted)
    monkeypatch.setattr(sessions, "GRANTED", tmp_path / "cpu.max")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(8)), raising=False)
    assert threads_of_a_session() == cores  # 0 leaves it to ONNX Runtime
    assert threads_of_a_session(threads=5) == 5
    assert sessions.usable_cores() == (cores or 8)
    monkeypatch.delattr("os.sched_getaffinity")  # as on macOS and Windows
    assert threads_of_a_session() == cores
    assert sessions.usable_cores() == (cores or 8)


@pytest.mark.parametrize(("granted", "cores"), [("max 100000\n", 3), ("200000 100000\n", 2)])
def test_a_process_takes_no_more_threads_than_cores_that_it_is_confined_to(
    granted: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(granted)
    monkeypatch.setattr(sessions, "GRANTED", tmp_path / "cpu.max")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {1, 4, 6}, raising=False)
    assert threads_of_a_session() == cores
    assert threads_of_a_session(threads=5) == 5


CONFINED = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from mien.models import read_packaged
from mien.sessions import create_session
session = create_session(read_packaged("default-int8"))
print(set().union(*(os.sched_getaffinity(int(task)) for task in os.listdir("/proc/self/task"))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are listed otherwise")
def test_no_thread_leaves_the_cores_that_the_process_is_confined_to() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{ {min(os.sched_getaffinity(0))} }\n"
