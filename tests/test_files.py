import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from mien.files import replacing

STOPS_IN_THE_MIDDLE = """
import sys
from pathlib import Path
from mien.files import replacing

with replacing(Path(sys.argv[1])) as part, part.open("w") as file:
    file.write("half of the n")
    file.flush()
    print("in the middle", flush=True)
    sys.stdin.read()
"""


def files_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("earlier", [True, False])
def test_what_was_written_takes_the_place_of_the_earlier_file(
    tmp_path: Path, earlier: bool
) -> None:
    path = tmp_path / "scores.json"
    if earlier:
        path.write_text("earlier")
    with replacing(path) as part:
        part.write_text("new")
    assert files_in(tmp_path) == {"scores.json": "new"}


def test_nothing_changes_before_the_writing_is_done(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("earlier")
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "earlier"


def test_what_outlasts_a_lack_of_power_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "scores.json", []
    monkeypatch.setattr("os.fsync", lambda _number: seen.append(files_in(tmp_path)))
    for outlasts_power in (True, False):
        with replacing(path, outlasts_power) as part:
            part.write_text("new")
    assert seen == [{"scores.json.part": "new"}]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failing_leaves_the_earlier_file_and_no_part(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "scores.json"
    path.write_text("earlier")
    with contextlib.suppress(error), replacing(path) as part:
        part.write_text("half of the n")
        raise error
    assert files_in(tmp_path) == {"scores.json": "earlier"}


def test_a_process_killed_while_writing_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("earlier")
    with subprocess.Popen(
        [sys.executable, "-c", STOPS_IN_THE_MIDDLE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.kill()
    assert path.read_text() == "earlier"

    with replacing(path) as part:
        part.write_text("new")
    assert files_in(tmp_path) == {"scores.json": "new"}
