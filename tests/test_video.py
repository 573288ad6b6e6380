"""Videos are read back, and broken off in the middle of the writing."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.drawing import draw_faces
from mien.errors import ConfigError, ImageError, SourceError
from mien.video import VideoWriter
from tests.made import write_sound

Image = NDArray[np.uint8]
STEP_S = 0.04


def noise(seed: int, height: int = 48, width: int = 64) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def read(path: Path) -> tuple[list[float], list[Image]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [frame.time or 0.0 for frame in frames], [
            np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8) for frame in frames
        ]


def sound_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time or 0.0 for frame in container.decode(audio=0)]


def write(path: Path, frames: int = 50, sound_of: Path | None = None, start_s: float = 0.0) -> None:
    with VideoWriter(path, sound_of, start_s) as writer:
        for number in range(frames):
            writer.write(noise(number), start_s + number * STEP_S)


def test_frames_come_back_at_their_times_and_look_alike(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.101, 2.5, 3.0]
    pictures = [np.full((49, 63, 3), 40 * number, dtype=np.uint8) for number in range(6)]
    with VideoWriter(tmp_path / "new" / "out.mp4") as writer:
        for picture, time_s in zip(pictures, times, strict=True):
            writer.write(picture, time_s)
    there_s, back = read(tmp_path / "new" / "out.mp4")
    assert there_s == pytest.approx(times, abs=1e-4)
    assert all(image.shape == (50, 64, 3) for image in back)
    for image, picture in zip(back, pictures, strict=True):
        assert np.abs(image[:49, :63].astype(int) - picture).max() <= 4
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.mp4"]


def test_a_frame_of_another_size_is_fitted_in(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(np.full((48, 64, 3), 100, dtype=np.uint8), 0.0)
        writer.write(np.full((96, 96, 3), 200, dtype=np.uint8), 0.04)
    _, (_, second) = read(tmp_path / "out.mp4")
    assert second.shape == (48, 64, 3)
    assert np.abs(second[:, 8:56].astype(int) - 200).max() <= 8
    assert second[:, :6].max() <= 8


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le", "mp3"])
def test_sound_is_kept(tmp_path: Path, codec: str) -> None:
    source, out = tmp_path / "sound.mkv", tmp_path / "out.mp4"
    write_sound(source, seconds=2.0, codec=codec)
    write(out, sound_of=source)
    times = sound_times(out)
    assert times[0] == pytest.approx(0.0, abs=0.05)
    assert times[-1] == pytest.approx(2.0, abs=0.08)
    with av.open(str(out)) as container:
        assert container.duration == pytest.approx(2_000_000, abs=80_000)
        assert [stream.type for stream in container.streams] == ["video", "audio"]


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("framed.ts", "aac", 44_100),
        ("slow.mkv", "mp3", 8_000),
        ("odd.mkv", "pcm_s16le", 11_000),
        ("fast.mkv", "pcm_s16le", 192_000),
    ],
)
def test_sound_that_mp4_does_not_take_as_it_is_is_changed(
    tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    write_sound(tmp_path / name, 2.0, codec, rate)
    write(tmp_path / "out.mp4", sound_of=tmp_path / name)
    times = sound_times(tmp_path / "out.mp4")
    assert times[0] == pytest.approx(0.0, abs=0.1)
    assert times[-1] == pytest.approx(2.0, abs=0.15)


def test_sound_may_change_its_channels_and_rate(tmp_path: Path) -> None:
    parts = []
    for layout, rate in (("mono", 44_100), ("stereo", 44_100), ("mono", 32_000)):
        write_sound(tmp_path / "part.mp2", 1.0, "mp2", rate, layout)
        parts.append((tmp_path / "part.mp2").read_bytes())
    (tmp_path / "all.mp2").write_bytes(b"".join(parts))
    write(tmp_path / "out.mp4", 80, sound_of=tmp_path / "all.mp2")
    assert sound_times(tmp_path / "out.mp4")[-1] > 2


def test_a_picture_too_wide_for_the_codec_is_an_error_of_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"out\.mp4: can't be written to"),
        VideoWriter(tmp_path / "out.mp4") as writer,
    ):
        writer.write(np.zeros((16, 16_400, 3), dtype=np.uint8), 0.0)


def test_damaged_sound_is_left_out(tmp_path: Path) -> None:
    write_sound(tmp_path / "sound.mkv", 2.0, "flac")
    before, sync, rest = (tmp_path / "sound.mkv").read_bytes().partition(b"\xff\xf8")
    damaged = before + sync + rest.replace(sync, b"\0\0", 3)
    (tmp_path / "damaged.mkv").write_bytes(damaged)
    write(tmp_path / "out.mp4", sound_of=tmp_path / "damaged.mkv")
    assert len(read(tmp_path / "out.mp4")[0]) == 50
    assert sound_times(tmp_path / "out.mp4")[-1] == pytest.approx(2.0, abs=0.1)


def test_sound_of_an_unknown_kind_is_left_out(tmp_path: Path) -> None:
    write_sound(tmp_path / "sound.mkv", 1.0, "flac")
    content = (tmp_path / "sound.mkv").read_bytes()
    (tmp_path / "unknown.mkv").write_bytes(content.replace(b"A_FLAC", b"A_FLAX"))
    write(tmp_path / "out.mp4", 3, sound_of=tmp_path / "unknown.mkv")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_sound_that_goes_back_in_time_ends(tmp_path: Path) -> None:
    write_sound(tmp_path / "once.ts", 1.0, "aac")
    (tmp_path / "twice.ts").write_bytes(2 * (tmp_path / "once.ts").read_bytes())
    write(tmp_path / "out.mp4", sound_of=tmp_path / "twice.ts")
    assert len(read(tmp_path / "out.mp4")[0]) == 50
    assert sound_times(tmp_path / "out.mp4")[-1] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_is_cut_where_the_frames_are(tmp_path: Path, codec: str) -> None:
    source, out = tmp_path / "sound.mkv", tmp_path / "out.mp4"
    write_sound(source, seconds=4.0, codec=codec)
    with VideoWriter(out, source, start_s=1.0, end_s=2.0) as writer:
        for number in range(25):
            writer.write(noise(number), 1.0 + number * STEP_S)
    assert read(out)[0] == pytest.approx([number * STEP_S for number in range(25)], abs=1e-4)
    times = sound_times(out)
    assert times[0] == pytest.approx(0.0, abs=0.05)
    assert times[-1] == pytest.approx(1.0, abs=0.08)


def test_sound_ends_with_the_last_frame_where_that_is_asked_for(tmp_path: Path) -> None:
    source, out = tmp_path / "sound.mkv", tmp_path / "out.mp4"
    write_sound(source, seconds=4.0, codec="aac")
    writer = VideoWriter(out, source)
    for number in range(25):
        writer.write(noise(number), number * STEP_S)
    writer.close(sound_to_its_end=False)
    assert sound_times(out)[-1] == pytest.approx(1.0, abs=0.05)


def test_a_single_frame_is_shown_for_a_moment(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", 1, start_s=7.0)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.duration == 40_000


def test_a_file_without_sound_gives_a_silent_video(tmp_path: Path) -> None:
    write(tmp_path / "silent.mp4", 3)
    write(tmp_path / "out.mp4", 3, sound_of=tmp_path / "silent.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


WRITES_UNTIL_THE_DISK_IS_FULL = """
import resource, signal, sys
from pathlib import Path
from typing import Any
from mien.video import VideoWriter
from tests.test_video import STEP_S, noise

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    with VideoWriter(Path(sys.argv[1])) as writer:
        for number in range(200):
            writer.write(noise(number), number * STEP_S)
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limits on a file's size here")
def test_a_full_disk_leaves_what_was_written(tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    write(whole, 200)
    limit = whole.stat().st_size // 2
    command = [sys.executable, "-c", WRITES_UNTIL_THE_DISK_IS_FULL, str(out), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{out}: can't be written to (File too large)\n"
    times, _ = read(out)
    assert 25 <= len(times) < 200
    assert times == pytest.approx([number * STEP_S for number in range(len(times))], abs=1e-4)
    assert not list(tmp_path.glob("*.part"))


def test_a_killed_process_leaves_what_was_written(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    code = (
        "import sys\nfrom pathlib import Path\nfrom mien.video import VideoWriter\n"
        "from tests.test_video import STEP_S, noise\n"
        "writer = VideoWriter(Path(sys.argv[1]))\n"
        "for number in range(150): writer.write(noise(number), number * STEP_S)\n"
        "print('written', flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.kill()
    times, _ = read(tmp_path / "out.mp4.part")
    assert len(times) >= 75
    assert not out.exists()


def test_an_earlier_file_stays_until_the_new_one_is_done(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")
    with VideoWriter(out) as writer:
        writer.write(noise(0), 0.0)
        assert out.read_bytes() == b"earlier"
    assert len(read(out)[0]) == 1


def test_a_video_that_is_closed_takes_no_frames(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(noise(0), 0.0)
    with pytest.raises(ConfigError, match=r"out\.mp4: a frame came after the video was closed"):
        writer.write(noise(1), STEP_S)
    assert len(read(tmp_path / "out.mp4")[0]) == 1


def test_no_frames_leave_no_file(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", 0)
    assert not list(tmp_path.iterdir())


def test_what_can_not_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out\.avi: a video's name ends in \.mp4"):
        VideoWriter(tmp_path / "out.avi")
    (tmp_path / "text.mkv").write_text("no sound")
    with pytest.raises(SourceError, match=r"text\.mkv: its sound can't be read"):
        VideoWriter(tmp_path / "out.mp4", tmp_path / "text.mkv")
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        (noise(0) / 255, "values are float64"),
        (noise(0).astype(np.uint16), "values are uint16"),
        (noise(0)[..., 0], r"shape is \(\d+, \d+\), expected \(H, W, 3\)"),
        (noise(0)[:0], "is empty"),
        (None, "is None"),
    ],
)
def test_what_is_no_picture_is_not_written(picture: Any, told: str, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4") as writer, pytest.raises(ImageError, match=told):
        writer.write(picture, 0.0)
    with pytest.raises(ImageError, match=told):
        draw_faces(picture, [])


@pytest.mark.parametrize("time_s", [float("nan"), float("inf"), "1", None])
def test_a_time_is_a_number(time_s: Any, tmp_path: Path) -> None:
    with (
        VideoWriter(tmp_path / "out.mp4") as writer,
        pytest.raises(ConfigError, match=r"^time_s is "),
    ):
        writer.write(noise(0), time_s)
