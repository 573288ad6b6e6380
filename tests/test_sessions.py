import os
from pathlib import Path

import pytest

from mien import sessions
from mien.models import read_packaged


@pytest.mark.parametrize(
    ("granted", "cores"), [("150000 100000\n", 1), ("50000 100000\n", 1), ("200000 100000\n", 2)]
)
def test_a_container_with_fewer_cores_takes_no_more_threads(
    granted: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(granted)
    monkeypatch.setattr(sessions, "GRANTED", tmp_path / "cpu.max")
    assert sessions.usable_cores() == min(cores, len(os.sched_getaffinity(0)))
    session = sessions.create_session(read_packaged("default-int8"))
    assert session.get_session_options().intra_op_num_threads == cores
    session = sessions.create_session(read_packaged("default-int8"), threads=3)
    assert session.get_session_options().intra_op_num_threads == 3


def test_without_a_limit_all_cores_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("max 100000\n", ""):
        (tmp_path / "cpu.max").write_text(content)
        monkeypatch.setattr(sessions, "GRANTED", tmp_path / "cpu.max")
        assert sessions.usable_cores() == len(os.sched_getaffinity(0))
        session = sessions.create_session(read_packaged("default-int8"))
        assert session.get_session_options().intra_op_num_threads == 0
