"""The page of a run, in Markdown."""

from collections.abc import Sequence
from string import Template

from benchmarks.comparison.contestants import EMOTION_OF, OURS, PEERS
from benchmarks.comparison.figures import Accuracy, Figures, FrameTime
from benchmarks.comparison.frames import FRAMES, HEIGHT, ONE_FACE, WIDTH
from benchmarks.comparison.throughput import BATCHES
from mien.evaluation.markdown import table

_PAGE = Template("""# Benchmarks

Written by `python -m benchmarks.comparison`, a part of `make bench`, on $date with Python
$python on $cores cores of a processor that calls itself $processor. The figures are
in [benchmarks.json](benchmarks.json).$busy

$summary

![The figures below, as bars and lines](benchmarks.png)

## A frame

Medians on frames of ${width}x$height: the packaged picture with its one face, and that face five
times on grey. Every package runs with its defaults but for what its name says, in an environment
and a process of its own, and they take turns. Ratios are to mien in the same run.

$frame_table

$failures## Where mien's time goes

Medians in milliseconds. The rest is the check and conversion of the frame, calibration and
results.

$stage_table

## Classification by batch

Faces a second through mien's network alone, in a loop; between other work it is slower.

$throughput_table

## Accuracy

$accuracy

## Memory and size

Memory is the most that a process held at once up to the end of 100 frames with one face. Size is
the package's environment on the disk: all it depends on, and pip.

$footprint_table

## How the others were run

What drives them is in `benchmarks/peers`, beside the exact versions of all they depend on.

- `fer`: `FER(mtcnn=True)` and `FER()`, `detect_emotions`. It needs OpenCV 4, as OpenCV 5 has no
  Haar cascades, and setuptools up to 80 for `pkg_resources`. For MTCNN, PyTorch is imported before
  TensorFlow: the other way round the process aborts.
- `facial-emotion-recognition`: `EmotionRecognition("cpu")`, `recognise_emotion`. Its weights were
  saved on a GPU, so `torch.load` is told to put them on the CPU.
- Most of their size is PyTorch with its CUDA libraries, which pip installs on Linux for the MTCNN
  that both depend on; `fer` adds TensorFlow.
""")

_ACCURACY = Template("""\
Cut-out faces of FER+ by the strict-majority protocol. All packages get the same faces, 48x48 pixels
and grey, and the most probable class counts.

$table

$test
mien's settings were chosen on Valid, and its calibration fitted. The others learnt the labels of
FER-2013, with which FER+'s crowd often disagrees, and know seven classes: theirs count as FER+'s of
the same name, and $mapping. A face of
contempt counts as wrong for them.

Each classifies a cut-out face, which has nothing around it, in its own way: mien by `run_on_faces`;
`fer` by `detect_emotions` with the whole picture as the face's rectangle and `offsets=(0, 0)`, or
it would add a plain border; `facial-emotion-recognition` by `_predict`, which
`recognise_emotion` calls for every box.""")

#: With more processes than this wanting a core, times are not those of the package alone.
QUIET_LOAD = 0.5
BUSY = """ Other programs kept the machine busy (a load of {load:.1f} before the
run), so the times are longer than on a quiet one, and the ratios less certain."""

_NO_ACCURACY = "Not measured in this run: it was given no FER+ (`--data-dir`)."


def page(figures: Figures) -> str:
    """The whole page."""
    return _PAGE.substitute(
        date=figures.date,
        cores=figures.cores,
        processor=figures.processor,
        python=figures.python,
        busy=BUSY.format(load=figures.load) if figures.load > QUIET_LOAD else "",
        summary=summary(figures.frame_times),
        width=WIDTH,
        height=HEIGHT,
        frame_table=frame_table(figures.frame_times),
        failures=failures(figures.failures),
        stage_table=stage_table(figures),
        throughput_table=throughput_table(figures),
        accuracy=accuracy(figures.accuracies) if figures.accuracies else _NO_ACCURACY,
        footprint_table=footprint_table(figures),
    )


def summary(times: Sequence[FrameTime]) -> str:
    """How many times as fast as each peer mien is on a frame with one face."""
    of = {one.name: one.milliseconds for one in times if one.frame == ONE_FACE}
    ours = of[OURS[0].name]
    speeds = [
        f"- {of[one.name] / ours:.1f} times as fast as {one.name}"
        for one in PEERS
        if one.name in of
    ]
    said = f"On a frame with one face mien takes {ours:.1f} ms."
    return "\n".join([f"{said} It is", "", *speeds]) if speeds else said


def frame_table(times: Sequence[FrameTime]) -> str:
    """A row per contestant: its time on every frame, as such and as a ratio to mien's."""
    head = ["", *(f"{frame}, {unit}" for frame in FRAMES for unit in ("ms", "ratio", "found"))]
    of = {(one.name, one.frame): one for one in times}
    rows = []
    for name in dict.fromkeys(one.name for one in times):
        row = [name]
        for frame in FRAMES:
            one, ours = of[name, frame], of[OURS[0].name, frame]
            ratio = one.milliseconds / ours.milliseconds
            row += [f"{one.milliseconds:.1f}", f"{ratio:.1f}", f"{one.found} of {one.faces}"]
        rows.append(row)
    return table(head, rows)


def stage_table(figures: Figures) -> str:
    """A row for every frame and number of threads."""
    names = ("detection", "alignment", "classification", "rest")
    rows = []
    for one in figures.stages:
        parts = [one.detection, one.alignment, one.classification, one.rest]
        rows.append([one.frame, str(one.threads), *(f"{part:.2f}" for part in parts)])
    return table(["frame", "threads", *names], rows)


def throughput_table(figures: Figures) -> str:
    """A row per number of threads, a column per size of batch."""
    speed = {(one.threads, one.batch): one.faces_a_second for one in figures.throughputs}
    rows = [
        [str(threads), *(f"{speed[threads, batch]:,.0f}" for batch in BATCHES)]
        for threads in dict.fromkeys(one.threads for one in figures.throughputs)
    ]
    return table(["threads", *(f"batch of {batch}" for batch in BATCHES)], rows)


def accuracy(accuracies: Sequence[Accuracy]) -> str:
    """The section on accuracy: Valid side by side, the peers on Test in a sentence."""
    rows = [
        [one.package, percent(one), f"{100 * one.share.low:.1f} to {100 * one.share.high:.1f}"]
        for one in accuracies
        if one.split == "valid"
    ]
    faces = next(one.share.count for one in accuracies if one.split == "valid")
    mapping = ", ".join(
        f"{theirs} as {ours}" for theirs, ours in EMOTION_OF.items() if theirs != ours
    )
    return _ACCURACY.substitute(
        table=table(["", f"right on Valid, {faces:,} faces", "95 % interval"], rows),
        test=test_sentence(accuracies),
        mapping=mapping,
    )


def test_sentence(accuracies: Sequence[Accuracy]) -> str:
    """How the peers do on the test set, where mien is not run."""
    scores = [f"{one.package} {percent(one)}" for one in accuracies if one.split == "test"]
    if not scores:
        return ""
    return (
        f"On Test the same run gives {' and '.join(scores)}. mien's score there is\n"
        "measured once for each published model: see the [model card](model-card.md).\n"
    )


def footprint_table(figures: Figures) -> str:
    """A row per contestant."""
    rows = [
        [f"{one.name}, {one.version}", mebibytes(one.peak_mib), mebibytes(one.install_mib)]
        for one in figures.footprints
    ]
    return table(["", "memory, MiB", "size, MiB"], rows)


def failures(reasons: dict[str, str]) -> str:
    """Who did not run, and why; nothing if all did."""
    return "".join(f"{name} did not run: {reason}\n\n" for name, reason in reasons.items())


def percent(one: Accuracy) -> str:
    """An accuracy in words."""
    assert one.share.value is not None
    return f"{100 * one.share.value:.1f} %"


def mebibytes(size: float | None) -> str:
    """A size in words."""
    return "not measured" if size is None else f"{size:,.0f}"
