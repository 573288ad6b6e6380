import csv
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from typer.testing import CliRunner

from mien.cli.app import app
from mien.images import read_image

on_posix = pytest.mark.skipif(os.name == "nt", reason="there are no such links, pipes or signals")


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut_path: Path, picture: Path
) -> Path:
    """The working folder: a face in a.jpg and sub/a.jpg, none in grey.png."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "sub").mkdir()
    shutil.copy(astronaut_path, tmp_path / "a.jpg")
    shutil.copy(astronaut_path, tmp_path / "sub" / "a.jpg")
    assert picture.parent == tmp_path
    return tmp_path


def in_process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mien", "image", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run(*arguments: str) -> tuple[int, str, list[str]]:
    """Exit code, standard output, and the errors on standard error."""
    done = CliRunner().invoke(app, ["image", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stdout, errors_of(done.stderr)


def errors_of(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("mien: ")]


def lines_of(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def damaged(path: Path, astronaut_path: Path) -> str:
    path.write_bytes(astronaut_path.read_bytes()[:5000])
    return path.name


def test_all_goes_well_in_a_process(folder: Path) -> None:
    done = in_process("a.jpg", "grey.png", "--out", "out")
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines() if ".jpg" in line or ".png" in line]
    assert rows[0][:3] == ["a.jpg", "1", "happiness"]
    assert rows[1] == ["grey.png", "no", "face"]
    assert errors_of(done.stderr) == []
    assert "Traceback" not in done.stderr
    assert {path.name for path in (folder / "out").iterdir()} == {
        "a-emotions.png",
        "grey-emotions.png",
    }


def test_what_is_broken_is_reported_and_the_rest_done_in_a_process(
    folder: Path, astronaut_path: Path
) -> None:
    broken = damaged(folder / "broken.jpg", astronaut_path)
    (folder / "empty").mkdir()
    done = in_process(broken, "gone.png", "empty", "*.bmp", "a.jpg", "--json")
    assert done.returncode == 1
    first, second, third = lines_of(done.stdout)
    assert first["image"] == broken
    assert "not a whole picture" in first["error"]
    assert second == {"image": "gone.png", "error": "gone.png: no such file"}
    assert third["faces"][0]["emotion"] == "happiness"
    assert errors_of(done.stderr) == [
        "mien: empty: a folder without pictures",
        "mien: *.bmp: fits no file",
        f"mien: {first['error']}",
        "mien: gone.png: no such file",
    ]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "bad",
    [
        ("--model", "grey.png"),
        ("--model", "gone.onnx"),
        ("--device", "tpu"),
        ("--detector", "haar"),
        ("--min-face-size", "0"),
        ("--out", "grey.png"),
        ("--out", "new.png"),
        ("--out", ""),
        ("--table", "faces.txt"),
    ],
)
def test_bad_options_are_one_line(bad: tuple[str, str], folder: Path) -> None:
    kept = (folder / "grey.png").read_bytes()
    code, stdout, (error,) = run("a.jpg", *bad)
    assert code == 1
    assert stdout == ""
    assert bad[1] in error
    assert (folder / "grey.png").read_bytes() == kept


def test_a_bad_model_is_one_line_in_a_process(folder: Path) -> None:
    done = in_process(str(folder / "a.jpg"), "--model", "grey.png")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("mien: grey.png: not a whole ONNX file")


@pytest.mark.usefixtures("folder")
def test_json_holds_one_line_a_picture() -> None:
    code, stdout, errors = run("a.jpg", "grey.png", "--json")
    assert (code, errors) == (0, [])
    with_face, without = lines_of(stdout)
    assert list(with_face) == ["image", "faces"]
    assert [face["emotion"] for face in with_face["faces"]] == ["happiness"]
    assert {"box", "landmarks", "emotions", "uncertain"} <= set(with_face["faces"][0])
    assert without == {"image": "grey.png", "faces": []}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "images"),
    [
        (["."], ["a.jpg", "grey.png"]),
        (["sub", "grey.png"], ["sub/a.jpg", "grey.png"]),
        (["*.jpg"], ["a.jpg"]),
        (["*/*.jpg"], ["sub/a.jpg"]),
        (["**/*.jpg"], ["a.jpg", "sub/a.jpg"]),
        (["a.jpg", "a.jpg", ".", "*.png"], ["a.jpg", "grey.png"]),
    ],
)
def test_files_folders_and_globs_are_found_once(arguments: list[str], images: list[str]) -> None:
    code, stdout, errors = run(*arguments, "--json")
    assert (code, errors) == (0, [])
    assert [line["image"] for line in lines_of(stdout)] == [str(Path(image)) for image in images]


@pytest.mark.parametrize("path", ["", "gone.png", "gone/", "*.bmp", "empty", "x" * 5000])
def test_a_path_without_pictures_is_an_error(path: str, folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("no picture")
    code, stdout, (error,) = run(path, "a.jpg")
    assert code == 1
    assert "happiness" in stdout
    assert path.rstrip("/") in error


def test_what_is_left_out_of_a_folder_is_counted(folder: Path) -> None:
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden").write_text("not seen")
    done = in_process(".")
    assert done.returncode == 0
    assert ".: 2 other files or folders in it are left out\n" in done.stderr


def test_a_folder_named_like_a_picture_is_left_out_of_its_folder(folder: Path) -> None:
    (folder / "album.png").mkdir()
    code, stdout, errors = run(".", "--json")
    assert (code, errors) == (0, [])
    assert [line["image"] for line in lines_of(stdout)] == ["a.jpg", "grey.png"]


@on_posix
def test_pipes_and_devices_are_left_out_of_their_folder(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/null")
    done = in_process(".", "--json")
    assert [line["image"] for line in lines_of(done.stdout)] == ["a.jpg", "grey.png"]
    assert ".: 3 other files or folders in it are left out\n" in done.stderr
    code, _, (error,) = run("device.png")
    assert (code, error) == (1, "mien: device.png: a device, expected a picture")


def test_a_file_whose_name_looks_like_a_glob_is_taken(folder: Path) -> None:
    (folder / "grey.png").rename(folder / "[x].png")
    code, stdout, _ = run("[x].png", "--json")
    assert code == 0
    assert lines_of(stdout) == [{"image": "[x].png", "faces": []}]


@pytest.mark.parametrize("name", ["[red].png", ":dog:.png", "two words.png"])
def test_names_are_printed_as_they_are(name: str, folder: Path) -> None:
    (folder / "grey.png").rename(folder / name)
    _, stdout, _ = run(name)
    assert name in stdout
    _, _, (error,) = run(f"no {name}")
    assert f"no {name}" in error


@on_posix
def test_control_characters_of_names_do_nothing(folder: Path) -> None:
    (folder / "grey.png").rename(folder / "\x1b[2J\nmien: fine\r.png")
    (folder / "\x9bJ\n.png").write_text("no picture")
    done = in_process(".")
    assert "\\x1b[2J\\nmien: fine\\r.png " in done.stdout
    assert errors_of(done.stderr) == [
        "mien: \\x9bJ\\n.png: not a whole picture or of a format that mien does not read"
    ]
    assert not re.search(r"[\x1b\x9b\r]", done.stdout + done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
@pytest.mark.parametrize(
    ("encoding", "name", "printed"),
    [("utf-8", "\udcff.png", "\\udcff.png"), ("cp1252", "図.png", "\\u56f3.png")],
    ids=["no utf-8", "not in the output's encoding"],
)
def test_a_name_that_the_output_can_not_hold_is_written_out(
    encoding: str, name: str, printed: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", f"{encoding}:strict")
    (folder / "grey.png").rename(folder / name)
    done = in_process(name, "a.jpg")
    assert done.returncode == 0
    assert printed in done.stdout
    assert "happiness" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
@pytest.mark.parametrize(("name", "written"), [("図.png", "図.png"), ("\udcff.png", "\\udcff.png")])
def test_names_in_a_table_do_not_hang_on_the_output(
    name: str, written: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252:strict")
    (folder / "grey.png").rename(folder / name)
    assert in_process(name, "--table", "faces.csv").returncode == 0
    head, row = (folder / "faces.csv").read_text(encoding="utf-8").splitlines()
    assert head.startswith("image,x,")
    assert row.startswith(f"{written},")


@pytest.mark.parametrize("given", ["*.bmp", "gone.png"])
def test_an_earlier_table_stays_where_no_picture_was_read(given: str, folder: Path) -> None:
    (folder / "faces.csv").write_text("earlier")
    code, _, errors = run(given, "--table", "faces.csv")
    assert code == 1
    assert given in errors[0]
    assert (folder / "faces.csv").read_text() == "earlier"


@contextmanager
def waiting_for(
    pipe: Path, *arguments: str
) -> Iterator[tuple["subprocess.Popen[bytes]", BinaryIO]]:
    """The command, and the end that it waits for of a picture, its second one."""
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "mien", "image", "a.jpg", str(pipe), *arguments]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        pipe.open("wb") as content,  # waits until it is read, after a.jpg
    ):
        yield process, content
        process.kill()


@on_posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_after_the_picture_under_way(folder: Path, number: signal.Signals) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    more = ("sub/a.jpg", "--table", "t.parquet", "--out", "out")
    with waiting_for(folder / "slow.png", *more) as (process, content):
        process.send_signal(number)
        content.write((folder / "grey.png").read_bytes())
        content.close()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    rows = [line.split()[:3] for line in stdout.splitlines() if b"." in line]
    assert rows == [[b"a.jpg", b"1", b"happiness"], [b"slow.png", b"no", b"face"]]
    assert b"Stopped; pictures not begun: 1\n" in stderr
    images = parquet.read_table(folder / "t.parquet")["image"].to_pylist()
    assert images == ["a.jpg", str(folder / "slow.png")]
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["a-emotions.png", "slow-emotions.png"]


@on_posix
def test_what_was_found_before_ctrl_c_is_printed_though_a_picture_never_ends(folder: Path) -> None:
    with waiting_for(folder / "never.png", "--table", "t.csv") as (process, _):
        while process.poll() is None:  # one a second after the first breaks off
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
        stdout, _ = process.communicate()
    assert process.returncode == 130
    assert stdout.split()[-4:-1] == [b"a.jpg", b"1", b"happiness"]
    assert (folder / "t.csv").read_text().splitlines()[1].startswith("a.jpg,")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_table_on_a_full_disk_does_not_stop_the_pictures(
    folder: Path, as_json: tuple[str, ...]
) -> None:
    (folder / "t.csv").symlink_to("/dev/full")
    code, stdout, (error,) = run("a.jpg", "grey.png", "sub/a.jpg", "--table", "t.csv", *as_json)
    assert code == 1
    assert stdout.count("happiness") == (2 if not as_json else 2 * 3)
    assert "grey.png" in stdout
    full = "t.csv: can't be written to (No space left on device)"
    assert error == f"mien: {full}; it holds nothing from a.jpg on"


def test_a_table_ends_before_the_first_picture_that_it_can_not_hold(folder: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limits on a file's size here")
    run("a.jpg", "--table", "one.csv")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "one.csv").stat().st_size + 10, before[1]))
    try:
        code, stdout, (error,) = run("a.jpg", "sub/a.jpg", "grey.png", "--table", "t.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert stdout.count("happiness") == 2
    told = "t.csv: can't be written to (File too large); it holds nothing from sub/a.jpg on"
    assert error == f"mien: {told}"
    assert (folder / "t.csv").read_bytes() == (folder / "one.csv").read_bytes()


def test_a_picture_that_can_not_be_written_does_not_stop_the_others(
    folder: Path, astronaut_path: Path
) -> None:
    shutil.copy(astronaut_path, folder / f"{'x' * 250}.jpg")
    code, stdout, (error,) = run("a.jpg", f"{'x' * 250}.jpg", "sub/a.jpg", "--out", "out")
    assert code == 1
    assert stdout.count("happiness") == 2
    assert "File name too long" in error
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "a-2-emotions.png",
        "a-emotions.png",
    ]


@pytest.mark.parametrize("name", ["new/faces.csv", "faces.jsonl"])
def test_a_table_has_a_row_a_face(name: str, folder: Path, astronaut_path: Path) -> None:
    broken = damaged(folder / "broken.jpg", astronaut_path)
    code, stdout, _ = run("a.jpg", broken, "grey.png", "--table", name)
    assert code == 1
    assert "happiness" in stdout
    with (folder / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file)) if name.endswith("csv") else [*map(json.loads, file)]
    assert [row["image"] for row in rows] == ["a.jpg", "grey.png"]
    assert list(rows[0])[:5] == ["image", "x", "y", "width", "height"]
    assert list(rows[0])[-1] == "p_contempt"
    assert rows[0]["emotion"] == "happiness"
    assert float(rows[0]["p_happiness"]) == float(rows[0]["confidence"])
    assert not rows[1]["emotion"]


def test_an_annotated_picture_differs_from_its_input_at_the_face_alone(folder: Path) -> None:
    run("a.jpg", "grey.png", "--out", "new/out")
    before = read_image(folder / "a.jpg")
    after = read_image(folder / "new/out/a-emotions.png")
    assert after.shape == before.shape
    assert (before != after).any()
    assert np.array_equal(before[250:], after[250:])
    blank = read_image(folder / "new/out/grey-emotions.png")
    assert np.array_equal(blank, read_image(folder / "grey.png"))


def test_pictures_of_one_name_are_both_written(folder: Path) -> None:
    code, _, errors = run("a.jpg", "sub/a.jpg", "--out", "out")
    assert (code, errors) == (0, [])
    written = sorted((folder / "out").iterdir())
    assert len(written) == 2
    assert written[0].read_bytes() == written[1].read_bytes()


@pytest.mark.parametrize("own", ["grey.png", "grey-emotions.png", "Grey-Emotions.PNG"])
@pytest.mark.parametrize("order", ["as written", "reversed"])
def test_an_input_is_never_overwritten(own: str, order: str, folder: Path) -> None:
    if own != "grey.png":
        shutil.copy(folder / "a.jpg", folder / own)
    inputs = list(dict.fromkeys(["grey.png", own, "a.jpg"]))
    before = {name: (folder / name).read_bytes() for name in inputs}
    code, stdout, _ = run(*(inputs if order == "as written" else inputs[::-1]), "--out", ".")
    assert code == 0
    assert {name: (folder / name).read_bytes() for name in inputs} == before
    assert stdout.count("happiness") == len(inputs) - 1
    assert len(list(folder.glob("*"))) == 1 + 2 * len(inputs)


@on_posix
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("faces.csv", ("--table", "faces.csv")),
        ("faces.parquet.part", ("--table", "faces.parquet")),
        ("out/a-emotions.png.part", ("--out", "out")),
    ],
)
def test_an_input_is_not_written_over_through_a_link(
    folder: Path, name: str, output: tuple[str, str], link: Callable[[Path, Path], None]
) -> None:
    (folder / "out").mkdir()
    link(folder / name, folder / "a.jpg")
    before = (folder / "a.jpg").read_bytes()
    code, stdout, (error,) = run("a.jpg", *output)
    assert (code, stdout) == (1, "")
    assert error.startswith(f"mien: {name.removesuffix('.part')}: would be written over one of the")
    assert (folder / "a.jpg").read_bytes() == before


@on_posix
def test_an_annotated_picture_leaves_a_link_to_an_input_alone(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "a-emotions.png").symlink_to(folder / "a.jpg")
    assert run("a.jpg", "--out", "out")[0] == 0
    assert (folder / "out" / "a-emotions.png").is_symlink()
    assert (folder / "out" / "a-2-emotions.png").is_file()


@on_posix
def test_a_link_that_leads_to_itself_does_not_stop_the_others(folder: Path) -> None:
    (folder / "loop.png").symlink_to("loop.png")
    code, stdout, (error,) = run(".", "--json", "--out", "out")
    assert code == 1
    assert [line["image"] for line in lines_of(stdout)] == ["a.jpg", "grey.png", "loop.png"]
    assert error.startswith("mien: loop.png: can't be read ")
    assert "Too many levels of symbolic links" in error


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P"])
def test_pictures_of_other_modes_are_taken(mode: str, folder: Path) -> None:
    Image.fromarray(read_image(folder / "a.jpg")).convert(mode).save(folder / "other.png")
    code, stdout, _ = run("other.png", "--json", "--out", "out")
    assert code == 0
    assert [face["emotion"] for face in lines_of(stdout)[0]["faces"]] == ["happiness"]
    assert (folder / "out" / "other-emotions.png").is_file()


def test_bars_are_drawn_on_wish(folder: Path) -> None:
    run("a.jpg", "--out", "plain")
    code, _, errors = run("a.jpg", "--out", "bars", "--bars")
    assert (code, errors) == (0, [])
    plain, bars = (read_image(folder / name / "a-emotions.png") for name in ("plain", "bars"))
    assert (plain != bars).any()
    code, stdout, (error,) = run("a.jpg", "--bars")
    assert (code, stdout) == (1, "")
    assert "--out" in error


@pytest.mark.usefixtures("folder")
def test_networks_take_the_threads_that_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, content: bytes, options: Any, **settings: Any) -> None:
            opened.append(options.intra_op_num_threads)
            super().__init__(content, options, **settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert run("a.jpg", "--threads", "3")[0] == 0
    assert set(opened) == {3}


@pytest.mark.usefixtures("folder")
def test_min_face_size_reaches_the_detector() -> None:
    _, stdout, _ = run("a.jpg", "--json", "--min-face-size", "1000")
    assert lines_of(stdout) == [{"image": "a.jpg", "faces": []}]


def test_without_a_path_the_usage_is_shown() -> None:
    code, stdout, _ = run()
    assert code == 2
    assert stdout == ""


def test_results_go_to_a_file_although_progress_is_on_a_terminal(
    astronaut_path: Path, tmp_path: Path
) -> None:
    terminal, shown = pty.openpty()
    with (tmp_path / "faces.json").open("w") as file:
        command = [sys.executable, "-m", "mien", "image", str(astronaut_path), "--json"]
        done = subprocess.run(command, stdout=file, stderr=shown, stdin=shown, check=False)
    os.close(shown)
    os.close(terminal)
    assert done.returncode == 0
    assert json.loads((tmp_path / "faces.json").read_text())["faces"]
