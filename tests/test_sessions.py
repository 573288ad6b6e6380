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
    before = sessions.usable_cores()
    (tmp_path / "cpu.max").write_text(granted)
    monkeypatch.setattr(sessions, "GRANTED", tmp_path / "cpu.max")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert threads_of_a_session() == cores  # 0 leaves it to ONNX Runtime
    assert threads_of_a_session(threads=5) == 5
    assert sessions.usable_cores() == min(before, cores or before)
