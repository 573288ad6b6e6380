"""The model file: one ONNX file with all that run time needs.

Its input `faces` is uint8 (N, S, S), grey, in the canonical frame; its outputs are `logits`
float32 (N, C) and `embedding` float32 (N, D). What else there is to know stands in its metadata
under the key `mien`, as JSON.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import ConfigError, ModelError
from mien.models import PACKAGED, read_packaged
from mien.results import LANDMARK_NAMES
from mien.sessions import create_session

if TYPE_CHECKING:
    import onnxruntime

FORMAT_VERSION = 1
METADATA_KEY = "mien"
#: No network for faces is larger, in pixels; a cut of this side takes a megabyte.
LARGEST_INPUT = 1024
#: Characters of a label, which is drawn and printed.
LONGEST_LABEL = 1000


@dataclass(frozen=True)
class CalibrationParameters:
    """Numbers fitted on the validation set; `mien.calibration` says what they do.

    Attributes:
        temperature: divides the logits.
        candidate_threshold: classes at least this probable are candidates.
        likeness_weights: of the embedding (D,) in the log odds of face likeness.
        likeness_offset: log odds of face likeness of an embedding of zeros.
        most_uncertainty: above this uncertainty an answer is too ambiguous to act on.
        least_likeness: below this face likeness a cut is too unlike a face to act on.
    """

    temperature: float
    candidate_threshold: float
    likeness_weights: tuple[float, ...]
    likeness_offset: float
    most_uncertainty: float
    least_likeness: float


@dataclass(frozen=True)
class ModelMetadata:
    """What a model file says about itself.

    Attributes:
        labels: the C classes, in the order of the logits.
        input_size: side S of the input, in pixels.
        landmarks: where the five landmarks of `LANDMARK_NAMES` lie in the canonical frame, as
            fractions (x, y) of its side.
        calibration: see `CalibrationParameters`.
        provenance: data, protocol, scores, settings, commit and date, as plain values.
    """

    labels: tuple[str, ...]
    input_size: int
    landmarks: tuple[tuple[float, float], ...]
    calibration: CalibrationParameters
    provenance: dict[str, Any]

    def to_json(self) -> str:
        """The text that stands in the file."""
        return json.dumps({"format_version": FORMAT_VERSION, **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "ModelMetadata":
        """Read what `to_json` wrote.

        Raises:
            ModelError: something is missing, of another kind, or out of range.
        """
        try:
            values = json.loads(text)
            if values["format_version"] != FORMAT_VERSION:
                raise ModelError(
                    f"format version {values['format_version']!r}, expected {FORMAT_VERSION}"
                )
            metadata = cls(
                labels=_names(values["labels"]),
                input_size=int(values["input_size"]),
                landmarks=tuple((float(x), float(y)) for x, y in values["landmarks"]),
                calibration=_calibration(values["calibration"]),
                provenance=dict(values["provenance"]),
            )
        except KeyError as error:
            raise ModelError(f"the metadata lack {error}") from error
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"the metadata are damaged ({error})") from error
        metadata._check()
        return metadata

    def _check(self) -> None:
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < 2:
            raise ModelError(
                f"the labels are {list(self.labels)}, expected two or more, all different"
            )
        if not 1 <= self.input_size <= LARGEST_INPUT:
            raise ModelError(f"the input size is {self.input_size}, expected 1 to {LARGEST_INPUT}")
        if len(self.landmarks) != len(LANDMARK_NAMES):
            raise ModelError(f"{len(self.landmarks)} landmarks, expected {len(LANDMARK_NAMES)}")
        if not np.isfinite(self.landmarks).all() or not np.ptp(self.landmarks, axis=0).any():
            raise ModelError(f"the landmarks are {self.landmarks}, expected five places")
        self._check_calibration()

    def _check_calibration(self) -> None:
        for name, value in dataclasses.asdict(self.calibration).items():
            if not np.isfinite(value).all():
                raise ModelError(f"the calibration's {name} holds a value that is no finite number")
        if not self.calibration.temperature > 0:
            raise ModelError(
                f"the calibration's temperature is {self.calibration.temperature}, expected above 0"
            )
        for name in ("candidate_threshold", "most_uncertainty", "least_likeness"):
            value = getattr(self.calibration, name)
            if not 0 <= value <= 1:
                raise ModelError(f"the calibration's {name} is {value}, expected from 0 to 1")


@dataclass(frozen=True)
class ModelFile:
    """An open model file: where it is from, its session, its metadata, and what it held."""

    source: str
    session: "onnxruntime.InferenceSession"
    metadata: ModelMetadata
    content: bytes = b""

    def with_threads(self, device: str, threads: int) -> "ModelFile":
        """The same with a session of its own, whatever has become of the file since."""
        return dataclasses.replace(self, session=create_session(self.content, device, threads))


def open_model(model: str | Path = "default", device: str = "cpu", threads: int = 0) -> ModelFile:
    """Open and check a model file.

    Args:
        model: a path, or the name of a packaged model.
        device: see `mien.sessions.create_session`.
        threads: see `mien.sessions.create_session`.

    Raises:
        ModelError: there is no such file, it is no ONNX file, lacks its metadata, or they
            contradict the network.
    """
    content = read_model(model)
    try:
        session = create_session(content, device, threads)
    except ConfigError:
        raise
    except Exception as error:  # ONNX Runtime raises many kinds for a damaged file
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{model}: not a whole ONNX file ({reason})") from error
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{model}: an ONNX file without the metadata that 'mien train' and 'mien export' write"
        )
    try:
        metadata = ModelMetadata.from_json(text)
        _check_network(session, metadata)
    except ModelError as error:
        raise ModelError(f"{model}: {error}") from error
    return ModelFile(str(model), session, metadata, content)


def read_model(model: str | Path) -> bytes:
    """The content of a model file, unchecked, or of a packaged model.

    Raises:
        ModelError: the file is missing or can't be read.
    """
    if not isinstance(model, str | Path) or not str(model):
        raise ModelError(f"the model is {model!r}, expected a path or one of {', '.join(PACKAGED)}")
    if isinstance(model, str) and model in PACKAGED:
        return read_packaged(model)
    try:
        return Path(model).read_bytes()
    except FileNotFoundError:
        raise ModelError(
            f"{model}: no such model file (packaged ones: {', '.join(PACKAGED)})"
        ) from None
    except ValueError:  # no file can be called so, as with a null byte
        raise ModelError(f"the model is {model!r}, expected a path or a packaged model") from None
    except OSError as error:
        raise ModelError(f"{model}: can't be read ({error.strerror})") from error


def _names(labels: Any) -> tuple[str, ...]:
    if not isinstance(labels, list):
        raise ModelError(f"the labels are {labels!r:.100}, expected a list of names")
    for label in labels:
        if not isinstance(label, str) or not 1 <= len(label) <= LONGEST_LABEL:
            raise ModelError(f"the label {label!r:.100} is no name")
        label.encode()  # JSON can hold halves of characters
    return tuple(labels)


def _calibration(values: dict[str, Any]) -> CalibrationParameters:
    names = [field.name for field in dataclasses.fields(CalibrationParameters)]
    numbers = {name: float(values[name]) for name in names if name != "likeness_weights"}
    return CalibrationParameters(
        likeness_weights=tuple(map(float, values["likeness_weights"])), **numbers
    )


def _check_network(session: "onnxruntime.InferenceSession", metadata: ModelMetadata) -> None:
    inputs = {node.name: (node.type, node.shape) for node in session.get_inputs()}
    outputs = {node.name: (node.type, node.shape) for node in session.get_outputs()}
    side = metadata.input_size
    kind, shape = inputs.get("faces", ("", []))
    takes_any_batch = len(shape) == 3 and not isinstance(shape[0], int)
    if (len(inputs), kind, shape[1:]) != (1, "tensor(uint8)", [side, side]) or not takes_any_batch:
        raise ModelError(f"the input is {inputs}, expected 'faces' uint8 [N, {side}, {side}]")
    for name, width in (
        ("logits", len(metadata.labels)),
        ("embedding", len(metadata.calibration.likeness_weights)),
    ):
        kind, shape = outputs.get(name, ("", []))
        if kind != "tensor(float)" or len(shape) != 2 or shape[1] != width:
            raise ModelError(
                f"the output {name!r} is {kind or 'missing'} {shape}, but the metadata ask for "
                f"float32 [N, {width}]"
            )
