import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mien.cli.app import app
from mien.models import read_packaged


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def report(ferplus_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card") / "report"
    done = invoke("validate", "--data-dir", ferplus_dir, "--split", "test", "--report", folder)
    assert done.exit_code == 0
    return folder


def test_a_card_is_written_with_its_pictures(report: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.md"
    result = invoke("card", report, "--out", out, "--cost", "an hour")
    assert result.exit_code == 0
    assert result.stdout == f"Model card: {out}\n"
    assert out.read_text(encoding="utf-8").startswith("# Model card: default\n")
    assert len(list((tmp_path / "card-pictures").glob("*.png"))) == 3


def test_pictures_show_beside_a_card_with_a_blank_in_its_name(report: Path, tmp_path: Path) -> None:
    assert invoke("card", report, "--out", tmp_path / "my card.md").exit_code == 0
    assert "](my%20card-pictures/" in (tmp_path / "my card.md").read_text(encoding="utf-8")
    assert (tmp_path / "my card-pictures").is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_names_that_are_not_utf_8_are_written_out(ferplus_dir: Path, tmp_path: Path) -> None:
    model, report, out = (tmp_path / name for name in ("m\udce9.onnx", "report", "c\udce9.md"))
    model.write_bytes(read_packaged("default-int8"))
    data = ("--data-dir", ferplus_dir, "--split", "test")
    done = invoke("validate", "--model", model, *data, "--report", report)
    assert done.exit_code == 0
    assert invoke("card", report, "--out", out).exit_code == 0
    text = out.read_text(encoding="utf-8")
    assert text.startswith("# Model card: m\\udce9.onnx\n")
    assert "](c%E9-pictures/" in text
    assert (tmp_path / "c\udce9-pictures").is_dir()


def test_a_folder_is_no_card(report: Path, tmp_path: Path) -> None:
    result = invoke("card", report, "--out", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == f"mien: {tmp_path}: is a folder, expected the name of a file\n"
    assert not list(tmp_path.iterdir())


def test_the_same_report_is_no_other_one(report: Path, tmp_path: Path) -> None:
    result = invoke("card", report, "--out", tmp_path / "card.md", "--other", report)
    assert result.exit_code == 1
    assert "expected the split that is not test, of the same model" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_without_a_report_is_an_error_in_one_line(tmp_path: Path) -> None:
    result = invoke("card", tmp_path)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "no report of 'mien validate'" in line
