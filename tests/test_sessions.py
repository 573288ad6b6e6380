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


def test_telemetry_is_off_before_any_session(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text(
        "import os\n"
        "said = [os.environ['ORT_DISABLE_TELEMETRY']]\n"
        "def disable_telemetry_events(): said.append('off')\n"
        "class InferenceSession: pass\n"
    )
    code = "import mien.sessions, onnxruntime; print(onnxruntime.said)"
    variables = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=variables | {"PYTHONPATH": path},
    )
    assert done.stdout == "['1', 'off']\n", done.stderr
