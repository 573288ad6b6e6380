"""The way of a frame: from pixels to one result per face."""

from collections.abc import Generator, Iterable, Sequence
from copy import copy
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien import alignment, calibration
from mien.classification import classify
from mien.detection import Detector, RetinaFace
from mien.drawing import draw_faces
from mien.errors import ConfigError, ImageError
from mien.given_faces import faces_of_boxes, faces_of_detector
from mien.images import check_color, to_grey, to_rgb
from mien.model_file import open_model
from mien.mtcnn import MTCNN
from mien.results import DetectedFace, FaceAnswer, FaceResult, found_face
from mien.sessions import CUDA, usable_cores
from mien.smoothing import Smoother
from mien.sources import open_source
from mien.streaming import Analysis, FoundFaces, StreamFrame, stream

#: Time constant of the smoothing in streams: long against flicker, short against expressions.
SMOOTHING_S = 0.5


class EmotionRecognition:
    """Finds faces and says which emotion each of them shows, and how sure that is.

    Frames are OpenCV images: uint8, (H, W, 3) BGR, (H, W) grey or (H, W, 4) BGRA; `color="RGB"`
    says that the channels run the other way. `mien.FaceResult` describes a result, and
    `mien.FaceAnswer` that of a cut-out face. A model whose answers are no finite numbers, one a
    face, raises `ModelError` when it is asked. One instance may be shared by threads.

    Args:
        device: "cpu", "cuda", or "auto" for CUDA where it is there.
        model: a model file, or the name of a packaged one: "default", "default-int8" or
            "ferplus-alone".
        detector: "retinaface", "mtcnn" (with `mien[mtcnn]`), or an object with
            `detect(frame_rgb)`.
        threads: how many threads a network may take; 0 for one per core. MTCNN takes those of
            `torch.set_num_threads`.
        min_face_size: the smallest face to find, in pixels. None is the detector's own choice:
            RetinaFace then looks at every frame at 640 pixels along its longer side; see
            `mien.detection.RetinaFace`.

    Raises:
        ModelError: the model file is missing, damaged or contradicts itself.
        ConfigError: there is no such device or detector, or a number is out of range.
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        model: str | Path = "default",
        detector: Detector | str = "retinaface",
        threads: int = 0,
        min_face_size: float | None = None,
    ) -> None:
        self._device, self._threads = device, threads
        self._model = open_model(model, device, threads)
        self._open_detector = partial(_open_detector, detector, min_face_size, device)
        self._detector = self._open_detector(threads)

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that the model tells apart."""
        return self._model.metadata.labels

    def run(
        self, frame: Any, color: str = "BGR", boxes: Iterable[Sequence[float]] | None = None
    ) -> list[FaceResult]:
        """Recognise the emotion of every face in a frame.

        Args:
            frame: the picture.
            color: the order of its channels, "BGR" or "RGB".
            boxes: faces found elsewhere, each as x, y, width, height in pixels; nothing is
                detected then.

        Returns:
            One result per face, largest first, or in the order of `boxes`; an empty list if
            there is none.

        Raises:
            ImageError: the frame or a box can't be taken.
        """
        frame_rgb = to_rgb(frame, color)
        faces = None if boxes is None else faces_of_boxes(boxes)
        return self._recognise([frame_rgb], faces)[0]

    def run_batch(self, frames: Iterable[Any], color: str = "BGR") -> list[list[FaceResult]]:
        """As `run` for every frame; the faces of all frames are classified together.

        Raises:
            ImageError: a frame can't be taken.
        """
        return self._recognise(_all_rgb("frame", frames, color))

    def run_on_face(self, face: Any, color: str = "BGR") -> FaceAnswer:
        """Recognise the emotion of a face that is already cut out.

        The cut is taken as it is: padded to a square by repeating its border, and scaled.

        Raises:
            ImageError: the cut is no image.
        """
        return self.run_on_faces([face], color)[0]

    def run_on_faces(self, faces: Iterable[Any], color: str = "BGR") -> list[FaceAnswer]:
        """As `run_on_face` for every cut; all are classified together.

        Raises:
            ImageError: a cut is no image.
        """
        side = self._model.metadata.input_size
        greys = [to_grey(face_rgb) for face_rgb in _all_rgb("face", faces, color)]
        return self._answers([alignment.whole(grey, side) for grey in greys])

    def stream(
        self,
        source: Any,
        *,
        color: str = "BGR",
        every: int = 1,
        detect_every: int = 1,
        smoothing_s: float | None = None,
        start_s: float = 0.0,
        end_s: float | None = None,
        live: bool = False,
    ) -> Generator[StreamFrame, None, None]:
        """Analyse a video, a camera or any row of frames, one frame after the other.

        Args:
            source: a video file, a picture, a folder of pictures, the address of a stream, the
                number of a camera or an open `cv2.VideoCapture` of one, an iterable of frames
                (images, or pairs of image and seconds), or a `mien.sources.Source`.
            color: the order of the channels of an iterable's images.
            every: analyse every n-th frame.
            detect_every: look for faces in every n-th analysed frame; in between, they are
                followed by their motion.
            smoothing_s: time constant of the smoothing of each face's probabilities; 0: none. By
                default half a second, and none for a folder of pictures, which may have nothing to
                do with one another.
            start_s: a file is analysed from here on.
            end_s: a file is analysed up to here.
            live: an iterable's frames come as they are taken, as from a robot's camera: each is
                answered at once, those that come meanwhile are left out, and without seconds of
                their own they have those of the clock. Otherwise every frame is answered, a few
                frames later, and frames without seconds count as 25 a second.

        Yields:
            Frames as `mien.streaming.StreamFrame` describes them, as soon as they are done.

        Raises:
            SourceError: the source can't be opened or is damaged.
            ImageError: a picture of it can't be taken.
            ConfigError: a number is out of range.
        """
        if not isinstance(detect_every, int | np.integer) or detect_every < 1:
            raise ConfigError(f"detect_every is {detect_every!r}, expected a whole number from 1")
        smoother = None if smoothing_s is None else Smoother(smoothing_s)
        opened = open_source(
            source, color=color, every=every, start_s=start_s, end_s=end_s, live=live
        )
        if smoother is None:
            smoother = Smoother(SMOOTHING_S if opened.is_film else 0)
        workers = int(self._threads) or usable_cores()
        # Frames beside one another share the cores better than the threads of one network do.
        is_on_cpu = CUDA not in self._model.session.get_providers()
        shares_cores = is_on_cpu and workers > 1 and not opened.is_live
        recognition = self._single_threaded if shares_cores else self
        return stream(_Analyst(recognition), opened, int(detect_every), smoother, workers)

    def show(
        self, frame: Any, return_type: str = "BGR", color: str = "BGR", *, bars: bool = False
    ) -> NDArray[np.uint8]:
        """A new picture of a frame with its faces and their emotions drawn in.

        Args:
            frame: the picture; it is not changed.
            return_type: the order of the channels returned, "BGR" or "RGB".
            color: the order of the frame's channels.
            bars: beside each face, draw one bar per emotion, as long as its probability.

        Raises:
            ImageError: the frame can't be taken.
        """
        check_color(return_type)
        frame_rgb = to_rgb(frame, color)
        drawn = draw_faces(frame_rgb, self._recognise([frame_rgb])[0], bars)
        return drawn if return_type == "RGB" else to_rgb(drawn)  # swaps red and blue back

    @cached_property
    def _single_threaded(self) -> "EmotionRecognition":
        """The same with one thread per network."""
        other = copy(self)
        other._threads, other._model = 1, self._model.with_threads(self._device, 1)
        if isinstance(self._detector, RetinaFace):  # others have no threads of ours
            other._detector = self._open_detector(1)
        return other

    def _recognise(
        self, frames_rgb: Sequence[NDArray[np.uint8]], known: list[DetectedFace] | None = None
    ) -> list[list[FaceResult]]:
        """The whole path: detection, alignment, classification, calibration, results."""
        found = [self._found(frame_rgb) if known is None else known for frame_rgb in frames_rgb]
        cuts = [
            cut
            for frame_rgb, faces in zip(frames_rgb, found, strict=True)
            for cut in self._cuts(frame_rgb, faces)
        ]
        answers = iter(self._answers(cuts))
        return [
            [
                found_face(face, frame_rgb.shape[1], frame_rgb.shape[0], next(answers))
                for face in faces
            ]
            for frame_rgb, faces in zip(frames_rgb, found, strict=True)
        ]

    def _found(self, frame_rgb: NDArray[np.uint8]) -> list[DetectedFace]:
        """The faces of a frame, largest first; a caller's own detector may draw into its copy."""
        if isinstance(self._detector, RetinaFace | MTCNN):
            faces = self._detector.detect(frame_rgb)
        else:
            faces = faces_of_detector(self._detector.detect(frame_rgb.copy()))
        return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)

    def _cuts(
        self, frame_rgb: NDArray[np.uint8], faces: Sequence[DetectedFace]
    ) -> list[NDArray[np.uint8]]:
        """The faces of a frame in the canonical frame, each (S, S) grey."""
        side, canonical = self._model.metadata.input_size, self._model.metadata.landmarks
        cuts = []
        for face in faces:
            transform = alignment.face_transform(face.box, face.landmarks, canonical, side)
            part_rgb, transform = alignment.around(frame_rgb, transform, side)
            cuts.append(alignment.cut(to_grey(part_rgb), transform, side))
        return cuts

    def _answers(self, cuts: Sequence[NDArray[np.uint8]]) -> list[FaceAnswer]:
        """One answer per cut (S, S): emotions, and how far to trust them."""
        return self._described(*self._classified(cuts))

    def _classified(
        self, cuts: Sequence[NDArray[np.uint8]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Probabilities (N, K) and face likeness (N,) of cuts (S, S)."""
        parameters = self._model.metadata.calibration
        if not cuts:
            return np.empty((0, len(self.labels))), np.empty(0)
        logits, embedding = classify(self._model.session, np.stack(cuts))
        probability = calibration.probabilities(logits, parameters.temperature)
        return probability, calibration.face_likeness(embedding, parameters)

    def _described(
        self, probability: NDArray[np.float64], likeness: NDArray[np.float64]
    ) -> list[FaceAnswer]:
        labels, parameters = self.labels, self._model.metadata.calibration
        uncertainty = calibration.uncertainty(probability)
        candidates = calibration.candidates(probability, parameters.candidate_threshold)
        uncertain = calibration.is_uncertain(uncertainty, likeness, parameters)
        order = np.argsort(-probability, axis=1, kind="stable")
        return [
            {
                "emotion": labels[order[row, 0]],
                "confidence": float(probability[row, order[row, 0]]),
                "emotions": dict(zip(labels, probability[row].tolist(), strict=True)),
                "uncertainty": float(uncertainty[row]),
                "candidates": [labels[place] for place in order[row] if candidates[row, place]],
                "face_likeness": float(likeness[row]),
                "uncertain": bool(uncertain[row]),
            }
            for row in range(len(probability))
        ]


class _Analyst:
    """What a stream asks of an `EmotionRecognition`."""

    def __init__(self, recognition: EmotionRecognition) -> None:
        self._recognition = recognition

    def find(self, frame_rgb: NDArray[np.uint8]) -> FoundFaces:
        faces = self._recognition._found(frame_rgb)
        return FoundFaces(faces, self.cut(frame_rgb, faces))

    def cut(
        self, frame_rgb: NDArray[np.uint8], faces: Sequence[DetectedFace]
    ) -> list[NDArray[np.uint8]]:
        return self._recognition._cuts(frame_rgb, faces)

    def classify(self, cuts: Sequence[Sequence[NDArray[np.uint8]]]) -> list[Analysis]:
        together = self._recognition._classified([cut for some in cuts for cut in some])
        ends = np.cumsum([len(some) for some in cuts])[:-1]
        return list(map(Analysis, *(np.split(values, ends) for values in together)))

    def describe(
        self,
        frame_rgb: NDArray[np.uint8],
        faces: Sequence[DetectedFace],
        probability: NDArray[np.float64],
        likeness: NDArray[np.float64],
    ) -> list[FaceResult]:
        height, width = frame_rgb.shape[:2]
        answers = self._recognition._described(probability, likeness)
        return [
            found_face(face, width, height, answer)
            for face, answer in zip(faces, answers, strict=True)
        ]


def _open_detector(
    detector: Detector | str, min_face_size: float | None, device: str, threads: int
) -> Detector:
    if detector == "retinaface":
        return RetinaFace(min_face_size, device=device, threads=threads)
    if detector == "mtcnn":
        return MTCNN(min_face_size, device=device)
    if isinstance(detector, str):
        raise ConfigError(f"detector is {detector!r}, expected retinaface or mtcnn")
    if isinstance(detector, type):
        raise ConfigError(f"detector is the class {detector.__name__}, expected an object of it")
    if not callable(getattr(detector, "detect", None)):
        raise ConfigError(
            f"detector is a {type(detector).__name__}, expected retinaface, mtcnn, or an object "
            "with detect(frame_rgb)"
        )
    if min_face_size is not None:
        raise ConfigError("min_face_size is for packaged detectors; set it in your own one")
    return detector


def _all_rgb(what: str, pictures: Iterable[Any], color: str) -> list[NDArray[np.uint8]]:
    """All pictures as RGB; an error says which of them it is about, from 0 on."""
    if isinstance(pictures, np.ndarray) and pictures.ndim == 3 and pictures.shape[2] in (1, 3, 4):
        raise ImageError(f"one picture of shape {pictures.shape} came, expected a list of pictures")
    if not isinstance(pictures, Iterable):
        raise ImageError(f"a {type(pictures).__name__} came, expected a list of pictures")
    check_color(color)
    all_rgb = []
    for number, picture in enumerate(pictures):
        try:
            all_rgb.append(to_rgb(picture, color))
        except ImageError as error:
            raise ImageError(f"{what} {number}: {error}") from error
    return all_rgb
