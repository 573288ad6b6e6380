import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from mien import EmotionRecognition, ModelError
from mien.labels import EMOTIONS
from mien.model_file import METADATA_KEY, ModelMetadata, open_model
from mien.models import PACKAGED, read_packaged

Values = dict[str, Any]
NOT_A_NUMBER = float("nan")


@pytest.fixture(scope="module")
def packaged() -> Any:
    """The packaged model as a protobuf; nothing may change it."""
    return onnx.load_from_string(read_packaged("default"))


@pytest.fixture(scope="module")
def packaged_text(packaged: Any) -> str:
    return str(next(p.value for p in packaged.metadata_props if p.key == METADATA_KEY))


@pytest.fixture
def values(packaged_text: str) -> Values:
    """The packaged model's metadata, to be changed."""
    return dict(json.loads(packaged_text))


@pytest.fixture
def save(packaged: Any, tmp_path: Path) -> Callable[[Values | str], Path]:
    """Write the packaged model with other metadata."""

    def write(metadata: Values | str) -> Path:
        model = onnx.ModelProto()
        model.CopyFrom(packaged)
        text = metadata if isinstance(metadata, str) else json.dumps(metadata)
        helper.set_model_props(model, {METADATA_KEY: text})
        path = tmp_path / "changed.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


def made_metadata(labels: tuple[str, ...], side: int, dimensions: int) -> Values:
    return {
        "format_version": 1,
        "labels": labels,
        "input_size": side,
        "landmarks": [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]],
        "calibration": {
            "temperature": 1.5,
            "candidate_threshold": 0.2,
            "likeness_weights": [1.0] * dimensions,
            "likeness_offset": 2.0,
            "most_uncertainty": 0.6,
            "least_likeness": 0.5,
        },
        "provenance": {},
    }


def write_small_model(
    path: Path,
    labels: tuple[str, ...] = EMOTIONS[:7],
    *,
    side: int = 48,
    kind: int = TensorProto.UINT8,
    shape: tuple[Any, ...] = ("N", 48, 48),
    batch: Any = "N",
    names: tuple[str, str, str] = ("faces", "logits", "embedding"),
    more_inputs: bool = False,
) -> Path:
    """A model of one layer, made by hand."""
    generator = np.random.default_rng(0)
    faces, logits, embedding = names
    graph = helper.make_graph(
        [
            helper.make_node("Cast", [faces], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["numbers"], ["rows"], axis=1),
            helper.make_node("MatMul", ["rows", "weights"], [logits]),
            helper.make_node("ReduceMean", ["rows"], [embedding], axes=[1]),
        ],
        "small",
        [helper.make_tensor_value_info(faces, kind, shape)]
        + [helper.make_tensor_value_info("more", TensorProto.FLOAT, [1])] * more_inputs,
        [
            helper.make_tensor_value_info(logits, TensorProto.FLOAT, [batch, len(labels)]),
            helper.make_tensor_value_info(embedding, TensorProto.FLOAT, [batch, 1]),
        ],
        [
            onnx.numpy_helper.from_array(
                generator.normal(0, 1e-3, (side * side, len(labels))).astype(np.float32), "weights"
            )
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(made_metadata(labels, 48, 1))})
    path.write_bytes(model.SerializeToString())
    return path


def refusal(path: Path | str) -> str:
    with pytest.raises(ModelError) as caught:
        open_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_the_packaged_model_opens() -> None:
    model = open_model()
    assert model.metadata.labels == EMOTIONS
    assert model.metadata.provenance["scores"]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_copy_of_the_packaged_model_is_the_same(
    kind: Callable[[Path], str | Path],
    tmp_path: Path,
    astronaut: NDArray[np.uint8],
    recognition: EmotionRecognition,
) -> None:
    path = tmp_path / "copy.onnx"
    path.write_bytes(read_packaged("default"))
    (copied,) = EmotionRecognition(model=kind(path)).run(astronaut)
    (wanted,) = recognition.run(astronaut)
    assert copied["emotions"] == pytest.approx(wanted["emotions"], abs=1e-5)


def test_metadata_come_back_as_they_were_written(values: Values) -> None:
    metadata = ModelMetadata.from_json(json.dumps(values))
    assert ModelMetadata.from_json(metadata.to_json()) == metadata
    assert json.loads(metadata.to_json()) == values


@pytest.mark.parametrize("share", [0, 1e-5, 0.3, 0.999])
def test_a_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    content = read_packaged("default")
    path = tmp_path / "part.onnx"
    path.write_bytes(content[: int(share * len(content))])
    assert "not a whole ONNX file" in refusal(path)


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("no model at all\n")
    assert "not a whole ONNX file" in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no such model file" in refusal(tmp_path / "gone.onnx")
    assert "no such model file" in refusal("no-packaged-model")
    assert "can't be read (Is a directory)" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["a\0", Path("a\0"), "\ud800"])
def test_a_name_that_no_file_can_have_is_refused(name: str | Path) -> None:
    with pytest.raises(ModelError) as caught:
        EmotionRecognition(model=name)
    assert str(caught.value) == f"the model is {name!r}, expected a path or a packaged model"


@pytest.mark.parametrize(("name", "said"), [("default", "damaged"), ("gone", "missing")])
def test_the_packaged_model_is_checked(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PACKAGED, name, 64 * "0")
    with pytest.raises(ModelError, match=f"{name}.onnx: the packaged model is {said}"):
        EmotionRecognition(model=name)


def test_an_onnx_file_without_metadata_is_refused(packaged: Any, tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(packaged)
    model.ClearField("metadata_props")
    path = tmp_path / "bare.onnx"
    path.write_bytes(model.SerializeToString())
    assert "without the metadata that 'mien train' and 'mien export' write" in refusal(path)


@pytest.mark.parametrize("text", ["{", "", "[]", "null", '"text"'])
def test_metadata_that_are_no_json_object_are_refused(
    text: str, save: Callable[[str], Path]
) -> None:
    assert "the metadata are damaged" in refusal(save(text))


KEYS = ["format_version", "labels", "input_size", "landmarks", "calibration", "provenance"]
CALIBRATION_KEYS = [
    "temperature",
    "candidate_threshold",
    "likeness_weights",
    "likeness_offset",
    "most_uncertainty",
    "least_likeness",
]


def test_all_keys_are_known(values: Values) -> None:
    assert list(values) == KEYS
    assert list(values["calibration"]) == CALIBRATION_KEYS


@pytest.mark.parametrize("key", KEYS + CALIBRATION_KEYS)
def test_metadata_that_lack_a_key_are_refused(
    key: str, values: Values, save: Callable[[Values], Path]
) -> None:
    del (values if key in KEYS else values["calibration"])[key]
    assert f"the metadata lack '{key}'" in refusal(save(values))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format_version", 2, "format version 2, expected 1"),
        ("labels", [*EMOTIONS[:7], "neutral"], "expected two or more, all different"),
        ("labels", ["neutral"], "expected two or more, all different"),
        ("labels", "abcdefgh", "labels"),
        ("labels", [*EMOTIONS[:7], None], "the label None is no name"),
        ("labels", [*EMOTIONS[:7], ""], "the label '' is no name"),
        ("labels", [*EMOTIONS[:7], "x" * 1_000_001], "is no name"),
        ("labels", [*EMOTIONS[:7], "\ud800"], "the metadata are damaged"),
        ("landmarks", [[0.5, 0.5]] * 4, "4 landmarks, expected 5"),
        ("landmarks", [[0.5, 0.5, 0.5]] * 5, "the metadata are damaged"),
        ("landmarks", [[NOT_A_NUMBER, 0.5]] * 5, "landmarks"),
        ("input_size", 47, r"expected 'faces' uint8 [N, 47, 47]"),
        ("input_size", 0, "the input size is 0, expected 1 to 1024"),
        ("input_size", 20_000, "the input size is 20000, expected 1 to 1024"),
        ("input_size", "large", "the metadata are damaged"),
        ("input_size", float("inf"), "the metadata are damaged"),
        ("calibration", [1, 2], "the metadata are damaged"),
        ("provenance", 5, "the metadata are damaged"),
    ],
)
def test_metadata_out_of_range_are_refused(
    key: str, value: Any, said: str, values: Values, save: Callable[[Values], Path]
) -> None:
    assert said in refusal(save({**values, key: value}))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("temperature", 0, "temperature is 0.0, expected above 0"),
        ("temperature", -1, "temperature is -1.0, expected above 0"),
        ("temperature", NOT_A_NUMBER, "temperature holds a value that is no finite number"),
        ("temperature", float("inf"), "temperature holds a value that is no finite number"),
        ("temperature", "warm", "the metadata are damaged"),
        ("temperature", None, "the metadata are damaged"),
        ("candidate_threshold", NOT_A_NUMBER, "candidate_threshold holds a value"),
        ("candidate_threshold", 20, "candidate_threshold is 20.0, expected from 0 to 1"),
        ("most_uncertainty", -1, "most_uncertainty is -1.0, expected from 0 to 1"),
        ("least_likeness", 95, "least_likeness is 95.0, expected from 0 to 1"),
        ("likeness_weights", [NOT_A_NUMBER], "likeness_weights holds a value"),
        ("likeness_weights", [1.0], "the output 'embedding'"),
        ("likeness_weights", 1.0, "the metadata are damaged"),
    ],
)
def test_calibration_out_of_range_is_refused(
    key: str, value: Any, said: str, values: Values, save: Callable[[Values], Path]
) -> None:
    values["calibration"][key] = value
    assert said in refusal(save(values))


@pytest.mark.parametrize("count", [7, 9])
def test_labels_of_another_number_than_the_logits_are_refused(
    count: int, values: Values, save: Callable[[Values], Path]
) -> None:
    values["labels"] = [*EMOTIONS, "boredom"][:count]
    said = refusal(save(values))
    assert "the output 'logits'" in said
    assert f"[N, {count}]" in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": TensorProto.FLOAT}, "tensor(float)"),
        ({"shape": ("N", 1, 48, 48)}, "48, 48]"),
        ({"shape": ("N", 32, 32), "side": 32}, "['N', 32, 32]"),
        ({"names": ("images", "logits", "embedding")}, "images"),
        ({"names": ("faces", "scores", "embedding")}, "the output 'logits' is missing"),
        ({"names": ("faces", "logits", "features")}, "the output 'embedding' is missing"),
        ({"more_inputs": True}, "more"),
        ({"shape": (1, 48, 48), "batch": 1}, "expected 'faces' uint8 [N, 48, 48]"),
    ],
    ids=str,
)
def test_a_network_that_contradicts_the_metadata_is_refused(
    settings: Values, said: str, tmp_path: Path
) -> None:
    message = refusal(write_small_model(tmp_path / "small.onnx", **settings))
    assert said in message


def test_a_model_of_seven_classes_works(tmp_path: Path, astronaut: NDArray[np.uint8]) -> None:
    labels = ("angry", "disgusted", "afraid", "happy", "sad", "surprised", "neutral")
    recognition = EmotionRecognition(model=write_small_model(tmp_path / "small.onnx", labels))
    assert recognition.labels == labels
    (face,) = recognition.run(astronaut)
    assert tuple(face["emotions"]) == labels
    assert sum(face["emotions"].values()) == pytest.approx(1)
    assert face["emotion"] in labels
    assert recognition.show(astronaut).shape == astronaut.shape
    assert len(recognition.run_on_faces([astronaut[:50], astronaut[50:120]])) == 2


@pytest.mark.parametrize(
    ("weights", "rows", "said"),
    [
        (NOT_A_NUMBER, [], "the model gives logits that are no finite numbers"),
        (float("inf"), [], "the model gives logits that are no finite numbers"),
        (0, [1], "the model gives 1 rows of logits, expected 2, one a face"),
        (0, [3, 4], "the model can't be computed"),
    ],
)
def test_answers_that_are_none_are_told(
    weights: float,
    rows: list[int],
    said: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = write_small_model(tmp_path / "small.onnx")
    model = onnx.load(path)
    (stored,) = model.graph.initializer
    values = np.full((48 * 48, 7), weights, np.float32)
    stored.CopyFrom(onnx.numpy_helper.from_array(values, "weights"))
    if rows:  # they are taken from the faces' logits
        model.graph.node[2].output[0] = "all"
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(rows), "rows_taken"))
        model.graph.node.append(helper.make_node("Gather", ["all", "rows_taken"], ["logits"]))
    path.write_bytes(model.SerializeToString())
    recognition = EmotionRecognition(model=path)
    with pytest.raises(ModelError, match=f"^{said}"):
        recognition.run_on_faces([np.full((48, 48), 200, np.uint8)] * 2)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_models_are_small_and_chosen_by_their_names(name: str) -> None:
    model = open_model(name)
    assert len(read_packaged(name)) < (3e6 if name == "default-int8" else 10e6)
    assert model.metadata.labels == open_model().metadata.labels
    quantized = model.metadata.provenance.get("quantized")
    assert quantized == ("static, 8 bits" if name == "default-int8" else None)
