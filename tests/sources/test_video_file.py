"""Video files of many kinds, whole and damaged, made with PyAV."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from av.container import OutputContainer
from numpy.typing import NDArray

from mien import EmotionRecognition, SourceError
from mien.images import write_image
from mien.sources import TimedFrame, open_source
from mien.video import VideoWriter
from tests.made import write_video

Image = NDArray[np.uint8]

#: Every one with B-frames where the encoder makes them.
KINDS = [
    ("film.mp4", "libx264"),
    ("film.mov", "mpeg4"),
    ("film.mkv", "libx264"),
    ("film.webm", "libvpx-vp9"),
    ("film.avi", "mpeg4"),
    ("old.avi", "libx264"),
    ("film.ts", "libx264"),
    ("frames.mkv", "mjpeg"),
]
OPTIONS = {
    "libx264": {"preset": "ultrafast", "bf": "2"},
    "mpeg4": {"bf": "2"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
MILLISECOND = Fraction(1, 1000)
BLACK = np.zeros((64, 96, 3), dtype=np.uint8)


def add_silence(container: OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for start in range(0, int(16000 * seconds), 1024):
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.rate, silence.pts = 16000, start
        container.mux(stream.encode(silence))
    container.mux(stream.encode())


def film(
    path: Path,
    codec: str,
    times_ms: list[int],
    front: bool = False,
    keyframe_every: int = 250,
    sound_s: float = 0.0,
) -> Path:
    """A film of noise, which takes many bytes a frame; with `front` its table stands in front."""
    if codec not in av.codec.codecs_available:
        pytest.skip(f"PyAV has no encoder {codec}")
    generator = np.random.default_rng(0)
    options = {"movflags": "faststart"} if front else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25, options=dict(OPTIONS.get(codec, {})))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = 64, 96
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = keyframe_every
        # AVI and MPEG-4 hold no times of their own: they count frames.
        base = MILLISECOND if path.suffix != ".avi" and codec != "mpeg4" else Fraction(1, 25)
        stream.time_base = stream.codec_context.time_base = base
        sound = container.add_stream("aac", rate=16000) if sound_s else None
        for time_ms in times_ms:
            image = generator.integers(0, 256, (64, 96, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time_ms * MILLISECOND / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            add_silence(container, sound, sound_s)
    return path


def even(count: int) -> list[int]:
    return [40 * place for place in range(count)]


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def spoilt(path: Path, share: float, count: int = 3000) -> Path:
    """Noise instead of some bytes."""
    content = bytearray(path.read_bytes())
    place = int(share * len(content))
    content[place : place + count] = np.random.default_rng(0).bytes(count)
    path.write_bytes(content)
    return path


def read_until_error(path: Path, **part: float) -> tuple[list[TimedFrame], str]:
    """The frames of a source and the message of the error that ended it, if one did."""
    frames: list[TimedFrame] = []
    try:
        with open_source(path, **part) as source:  # type: ignore[arg-type]
            frames += source
    except SourceError as error:
        return frames, str(error)
    return frames, ""


def milliseconds(frames: list[TimedFrame]) -> list[int]:
    times = [1000 * frame.time_s for frame in frames]
    np.testing.assert_allclose(times, np.round(times), atol=0.01)
    return [round(time_ms) for time_ms in times]


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_a_whole_file_gives_every_frame_and_any_part(tmp_path: Path, name: str, codec: str) -> None:
    path = film(tmp_path / name, codec, even(50))
    frames, error = read_until_error(path)
    assert error == ""
    assert milliseconds(frames) == even(50)
    for start_s in (0.04, 1.0, 1.5):
        frames, error = read_until_error(path, start_s=start_s, end_s=start_s + 0.12)
        assert error == ""
        start_ms = round(1000 * start_s)
        assert milliseconds(frames) == [
            start_ms + 20 * (start_ms % 40 > 0) + t for t in (0, 40, 80)
        ]


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_a_part_shows_the_same_pictures_at_the_same_times(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = film(tmp_path / name, codec, even(50), keyframe_every=12)
    whole, _ = read_until_error(path)
    part, _ = read_until_error(path, start_s=1.2)
    assert milliseconds(part) == even(50)[30:]
    for frame, same in zip(part, whole[30:], strict=True):
        assert np.array_equal(frame.image_rgb, same.image_rgb)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_a_last_picture_that_stands_long_belongs_to_a_whole_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
        packets = []
        for pts in (0, 25, 50):
            frame = av.VideoFrame.from_ndarray(BLACK, format="rgb24")
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            packets += stream.encode(frame)
        packets += stream.encode()
        for packet, duration in zip(packets, (25, 25, 250), strict=True):
            packet.duration = duration
            container.mux(packet)
    frames, error = read_until_error(path)
    assert (milliseconds(frames), error) == ([0, 1000, 2000], "")


def test_frames_that_are_left_out_take_their_time(tmp_path: Path) -> None:
    for number in range(5):
        write_image(tmp_path / f"{number}.png", BLACK)
    for source in (tmp_path, [BLACK] * 5):
        with open_source(source, every=2) as opened:
            assert [(frame.number, frame.time_s) for frame in opened] == [
                *((0, 0.0), (2, 0.08), (4, 0.16))
            ]


def test_how_many_frames_of_a_part_come_is_known_beforehand(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", "mpeg4", even(50))
    for part, count in (({}, 50), ({"every": 5}, 10), ({"start_s": 1.2}, 20), ({"end_s": 0.4}, 10)):
        with open_source(path, **part) as source:
            assert source.expected_frames == count == len(list(source))


def test_a_film_of_hours_that_is_cut_off_says_so(tmp_path: Path) -> None:
    times = [40_000 * place for place in range(100)]
    path = cut(film(tmp_path / "film.mkv", "mpeg4", times, keyframe_every=1), 0.5)
    frames, error = read_until_error(path)
    assert 40 <= len(frames) <= 60
    assert "of 39" in error or "of 40" in error


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts"])
@pytest.mark.parametrize("begin_ms", [0, 10_000])
def test_variable_times_are_kept_wherever_they_begin(
    tmp_path: Path, name: str, begin_ms: int
) -> None:
    times = [0, 40, 45, 200, 1000, 1033, 5000, 5040, 9000]
    path = film(tmp_path / name, "libx264", [begin_ms + time_ms for time_ms in times])
    frames, error = read_until_error(path)
    assert (milliseconds(frames), error) == (times, "")
    frames, error = read_until_error(path, start_s=1.0, end_s=5.04)
    assert (milliseconds(frames), error) == ([1000, 1033, 5000], "")


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_sound_may_last_longer_than_the_picture(tmp_path: Path, name: str) -> None:
    path = film(tmp_path / name, "libx264", even(25), sound_s=3)
    frames, error = read_until_error(path)
    assert (len(frames), error) == (25, "")


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.mkv"])
@pytest.mark.parametrize("sound_s", [0, 5])
def test_a_file_that_is_cut_off_gives_its_frames_and_an_error(
    tmp_path: Path, name: str, sound_s: float
) -> None:
    path = cut(film(tmp_path / name, "libx264", even(125), front=True, sound_s=sound_s), 0.4)
    frames, error = read_until_error(path)
    assert 25 <= len(frames) <= 60
    assert milliseconds(frames) == even(len(frames))
    assert f"{path}: ends after {len(frames) / 25:.2f} s of 5.00 s" in error
    frames, error = read_until_error(path, start_s=4.0)
    assert not frames
    assert f"{path}: ends" in error
    frames, error = read_until_error(path, end_s=0.2)
    assert (milliseconds(frames), error) == (even(5), "")


def test_a_stream_of_a_file_that_is_cut_off_ends_with_the_error(
    tmp_path: Path, recognition: EmotionRecognition
) -> None:
    path = cut(film(tmp_path / "film.mp4", "mpeg4", even(50), front=True), 0.3)
    frames = recognition.stream(path, detect_every=50)
    assert [next(frames).number for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(SourceError, match=r"film\.mp4: ends after 0\.\d\d s of 2\.00 s"):
        list(frames)


def test_damage_in_the_middle_is_told_after_the_frames_before_it(tmp_path: Path) -> None:
    path = spoilt(film(tmp_path / "film.mp4", "libx264", even(50), front=True), 0.5)
    frames, error = read_until_error(path)
    assert len(frames) > 10
    assert f"{path}: is damaged after {len(frames) / 25:.2f} s of 2.00 s" in error


def test_titles_may_be_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "TITLE"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("aac", rate=16000)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(BLACK, format="rgb24")))
        container.mux(stream.encode())
        add_silence(container, sound, 0.1)
    content = path.read_bytes()
    assert b"TITLE" in content
    path.write_bytes(content.replace(b"TITLE", b"\x83e\x83X\x83"))  # Shift JIS
    frames, error = read_until_error(path)
    assert (len(frames), error) == (1, "")
    with VideoWriter(tmp_path / "out.mp4", sound_of=path) as writer:
        writer.write(BLACK, 0.0)


def test_pyav_19_reads_titles_of_any_encoding_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "film.mp4", "mpeg4", even(3))
    opened = av.open

    def open_as_19(file: str, timeout: float | None = None) -> object:
        """As PyAV 19 takes it, which runs on Python 3.12 and later."""
        return opened(file, timeout=timeout)

    monkeypatch.setattr(av, "open", open_as_19)
    monkeypatch.setattr(av, "__version__", "19.0.2")
    assert len(list(open_source(path))) == 3


def test_what_comes_before_the_first_whole_picture_is_left_out(tmp_path: Path) -> None:
    path = film(tmp_path / "film.ts", "libx264", even(50), keyframe_every=10)
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 4 // 188 * 188 :])  # packets of 188 bytes
    frames, error = read_until_error(path)
    assert error == ""
    times = milliseconds(frames)
    assert times[0] >= 40  # from the first packet on, which nothing can be made of
    assert times == list(range(times[0], times[-1] + 40, 40))


def test_a_file_whose_beginning_is_damaged_says_so(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", "libx264", even(50), front=True, keyframe_every=10)
    place = path.read_bytes().index(b"mdat") + 4
    frames, error = read_until_error(spoilt(path, place / path.stat().st_size))
    assert not frames
    assert f"{path}: is damaged after 0.00 s of 2.00 s" in error


def without_its_table(path: Path) -> None:
    cut(film(path, "mpeg4", even(50)), 0.9)  # it stood at the end


def picture(path: Path) -> None:
    write_image(path.with_suffix(".png"), np.zeros((48, 64, 3), np.uint8))
    path.with_suffix(".png").rename(path)


def sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        add_silence(container, container.add_stream("aac", rate=16000), 0.5)


def huge(path: Path) -> None:
    with av.open(str(path), "w", format="mov") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 10_001, 10_000, "gray"
        frame = av.VideoFrame.from_ndarray(np.zeros((10_000, 10_001), np.uint8), format="gray")
        container.mux(stream.encode(frame))


def song_with_a_cover(path: Path) -> None:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        picture(path.with_name("cover.png"))
        container.add_attachment("cover.png", "image/png", path.with_name("cover.png").read_bytes())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "no such file or folder"),
        (without_its_table, "can't be read as a video"),
        (Path.touch, "can't be read as a video"),
        (lambda path: path.write_text("a text\n" * 999), "can't be read as a video"),
        (picture, "is a picture, expected a video"),
        (sound, "holds no video"),
        (huge, "10001 x 10000 pixels, expected at most 100 million"),
        (song_with_a_cover, "holds no video"),
        (Path.mkdir, "holds no pictures"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(
    tmp_path: Path, recognition: EmotionRecognition, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "film.mp4"
    make(path)
    with pytest.raises(SourceError, match=message) as caught:
        recognition.stream(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_frame_that_is_huge_though_the_file_tells_of_small_ones_is_damage(tmp_path: Path) -> None:
    huge(tmp_path / "huge.mov")
    with (
        av.open(str(tmp_path / "huge.mov")) as given,
        av.open(str(tmp_path / "film.mov"), "w") as container,
    ):
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64), np.uint8), format="gray")
        container.mux(stream.encode(frame))
        packet = av.Packet(bytes(next(given.demux())))
        packet.stream, packet.pts, packet.dts = stream, 1, 1
        packet.time_base = Fraction(1, 25)
        container.mux(packet)
    frames, error = read_until_error(tmp_path / "film.mov")
    assert [frame.image_rgb.shape for frame in frames] == [(48, 64, 3)]
    assert " after 0.04 s" in error


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mkv", [np.zeros((48, 64, 3), np.uint8)] * 3, [0, 40, 80])
    Path("clip.mkv").rename("10:30 clip.mkv")
    with open_source("10:30 clip.mkv") as source:
        assert source.name == "10:30 clip.mkv"
        assert len(list(source)) == 3


@pytest.mark.parametrize("count", [1, 4])
def test_every_picture_of_a_gif_is_seen(tmp_path: Path, count: int) -> None:
    pictures = [PIL.Image.new("RGB", (64, 48), (60 * number, 0, 0)) for number in range(count)]
    pictures[0].save(
        tmp_path / "moving.gif", save_all=True, append_images=pictures[1:], duration=200
    )
    with open_source(tmp_path / "moving.gif") as source:
        times = [frame.time_s for frame in source]
    assert times == pytest.approx([0.2 * number for number in range(count)])


def test_real_files_are_whole(shared: Path) -> None:
    for name in ("single_face.mp4", "no_face.mp4", "face_noface.mov"):
        frames, error = read_until_error(shared / "media" / name, start_s=2.0, every=5)
        assert len(frames) >= 2
        assert error == ""


def test_a_stream_that_falls_silent_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.sources.video_file.SILENCE_S", 0.5)
    write_video(tmp_path / "film.ts", [BLACK] * 10, [40 * step for step in range(10)])
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        is_seen = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall((tmp_path / "film.ts").read_bytes())
                is_seen.wait()

        served = pool.submit(serve)
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        try:
            with (
                open_source(address) as source,
                pytest.raises(SourceError, match=r"ends after 0\.\d+ s.*nothing came for"),
            ):
                list(source)
        finally:
            is_seen.set()
        served.result()


def test_a_live_stream_goes_on_after_a_frame_that_can_not_be_decoded(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w", options={"live": "1"}) as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for place in range(20):
            frame = av.VideoFrame.from_ndarray(BLACK, format="rgb24")
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    damaged = bytearray(path.read_bytes())
    starts = [at for at in range(len(damaged)) if damaged.startswith(b"\xff\xd8\xff", at)]
    damaged[starts[9] : starts[10] - 12] = bytes(starts[10] - 12 - starts[9])
    path.write_bytes(damaged)
    frames, error = read_until_error(path)
    assert len(frames) == 9
    assert "is damaged after 0.36 s" in error
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(damaged)

        served = pool.submit(serve)
        with open_source(f"tcp://127.0.0.1:{server.getsockname()[1]}") as source:
            assert source.is_live
            assert len(list(source)) == 19
        served.result()


def test_a_film_at_an_address_loses_no_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mkv", [BLACK] * 40, [40 * step for step in range(40)])
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.serve_forever)
        try:
            with open_source(f"http://127.0.0.1:{server.server_port}/film.mkv") as source:
                assert not source.is_live
                assert [frame.number for frame in source] == list(range(40))
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("pixel_shape", "shape"), [("2", (48, 128)), ("1/2", (96, 64)), ("1", (48, 64))]
)
def test_pixels_that_are_no_squares_are_stretched(
    tmp_path: Path, pixel_shape: str, shape: tuple[int, int]
) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(pixel_shape)
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_source(tmp_path / "film.mp4") as source:
        (only,) = source
    assert only.image_rgb.shape == (*shape, 3)


def grey(value: int) -> Image:
    return np.full((64, 96, 3), value, dtype=np.uint8)


def test_a_file_of_variable_rate_tells_its_own_times(tmp_path: Path) -> None:
    times = [0, 40, 45, 200, 1000, 1033, 5000]
    write_video(tmp_path / "film.mp4", [grey(30 * step) for step in range(7)], times)
    with open_source(tmp_path / "film.mp4") as source:
        seen = list(source)
    assert [round(1000 * frame.time_s) for frame in seen] == times
    assert [frame.number for frame in seen] == list(range(7))
    means = [frame.image_rgb.mean() for frame in seen]
    np.testing.assert_allclose(means, [30 * step for step in range(7)], atol=4)


def test_a_file_that_says_it_is_turned_is_seen_upright(tmp_path: Path) -> None:
    path, image = tmp_path / "film.mp4", grey(0)
    image[:, :48] = 255  # the left half is white
    write_video(path, [image] * 3, [0, 40, 80])
    content = path.read_bytes()
    one, none = (1 << 16).to_bytes(4, "big"), bytes(4)
    end = none + none + (1 << 30).to_bytes(4, "big")
    straight = one + none * 3 + one + none + end
    quarter = none + one + none + (-1 << 16).to_bytes(4, "big", signed=True) + none * 2 + end
    place = content.index(straight, content.index(b"tkhd"))
    path.write_bytes(content[:place] + quarter + content[place + len(quarter) :])
    with open_source(path) as source:
        upright = next(iter(source)).image_rgb
    assert upright.shape == (96, 64, 3)  # what was on the left is on top: a quarter to the right
    assert upright[:40].mean() > 200
    assert upright[56:].mean() < 50


def test_a_part_of_a_file_and_every_third_frame(tmp_path: Path) -> None:
    write_video(
        tmp_path / "film.mp4", [grey(9 * n) for n in range(20)], [100 * n for n in range(20)]
    )
    with open_source(tmp_path / "film.mp4", start_s=0.5, end_s=1.2) as source:
        assert [round(frame.time_s, 3) for frame in source] == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1]
    with open_source(tmp_path / "film.mp4", start_s=1.3, every=2) as source:
        seen = [(frame.number, round(frame.time_s, 3)) for frame in source]
        assert seen == [(0, 1.3), (2, 1.5), (4, 1.7), (6, 1.9)]
    with open_source(tmp_path / "film.mp4", every=3) as source:
        assert [frame.number for frame in source] == [0, 3, 6, 9, 12, 15, 18]


def test_a_file_whose_frames_have_no_times_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "film.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for value in range(0, 200, 20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(value), format="rgb24")))
        container.mux(stream.encode())
    with open_source(path) as source:
        times = [frame.time_s for frame in source]
    assert len(times) == 10
    assert all(0 < later - sooner < 0.1 for sooner, later in pairwise(times))


def test_a_file_that_is_open_is_read_once(tmp_path: Path, recognition: EmotionRecognition) -> None:
    path = film(tmp_path / "film.mp4", "libx264", even(5))
    source = open_source(path)
    assert len(list(recognition.stream(source))) == 5
    with pytest.raises(SourceError, match=r"film\.mp4: was read or closed before, expected to be"):
        list(recognition.stream(source))
    with open_source(path) as source:
        assert len(list(source)) == 5
        with pytest.raises(SourceError, match="was read or closed before"):
            list(source)
