import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mien.datasets.faces import FaceSet
from mien.sessions import create_session
from mien.training.low_rank import factorised, sample_faces

RANDOM = np.random.default_rng(0)
FACES = RANDOM.integers(0, 256, (40, 8, 8), dtype=np.uint8)
WIDTH = 24


def network(rank: int, groups: int = 1) -> onnx.ModelProto:
    """Two convolutions; what the second one answers lies in so many directions."""
    first = RANDOM.normal(size=(WIDTH, 1, 3, 3))
    inner = RANDOM.normal(size=(rank, WIDTH // groups, 3, 3))
    last = np.tensordot(RANDOM.normal(size=(WIDTH, rank)), inner, axes=1)
    values = {
        "first": first,
        "last": last,
        "bias": RANDOM.normal(size=WIDTH),
        "axis": np.array([1]),
    }
    kinds = {"axis": np.int64}
    nodes = [
        helper.make_node("Cast", ["faces"], ["grey"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["grey", "axis"], ["image"]),
        helper.make_node("Conv", ["image", "first"], ["features"], pads=[1] * 4),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node(
            "Conv",
            ["active", "last", "bias"],
            ["answer"],
            strides=[2, 2],
            pads=[1] * 4,
            group=groups,
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("faces", onnx.TensorProto.UINT8, ["N", 8, 8])],
        [helper.make_tensor_value_info("answer", onnx.TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(value.astype(kinds.get(name, np.float32)), name)
            for name, value in values.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answer(model: onnx.ModelProto) -> NDArray[np.float32]:
    session = create_session(model.SerializeToString())
    return np.asarray(session.run(["answer"], {"faces": FACES})[0])


def test_a_kernel_of_few_directions_becomes_two_that_answer_the_same() -> None:
    whole = network(rank=4)
    small = factorised(whole, FACES, kept_variance=0.999999)
    kinds = [node.op_type for node in small.graph.node]
    assert kinds.count("Conv") == 3  # that without a bias stays
    assert small.ByteSize() < 0.4 * whole.ByteSize()
    expected = answer(whole)
    np.testing.assert_allclose(answer(small), expected, atol=1e-3 * expected.std())


@pytest.mark.parametrize("kept_variance", [0.5, 0.9, 0.99])
def test_as_much_variance_is_kept_as_was_asked_for(kept_variance: float) -> None:
    whole = network(rank=WIDTH)
    expected = answer(whole)
    lost = answer(factorised(whole, FACES, kept_variance)) - expected
    total = expected.var(axis=(0, 2, 3)).sum()
    assert (lost**2).mean(axis=(0, 2, 3)).sum() <= (1 - kept_variance) * total * 1.001


def test_a_kernel_stays_where_nothing_is_gained_or_channels_are_apart() -> None:
    full, apart = network(rank=WIDTH), network(rank=2, groups=WIDTH)
    assert factorised(full, FACES, 0.9999999) == full
    assert factorised(apart, FACES, 0.9) == apart
    assert factorised(full, FACES, 1) == full


@pytest.mark.parametrize(("rank", "convolutions"), [(19, 3), (20, 2)])
def test_a_kernel_becomes_two_only_if_a_tenth_is_saved(rank: int, convolutions: int) -> None:
    # Of 24 x 24 x 3 x 3 weights, 19 directions save 12 %, 20 directions 7 %.
    small = factorised(network(rank), FACES, kept_variance=0.999999)
    assert [node.op_type for node in small.graph.node].count("Conv") == convolutions


def test_about_as_many_faces_as_are_asked_for_are_learnt_from_whatever_the_sets() -> None:
    sets = [
        FaceSet(
            np.full((count, 8, 8), place, np.uint8), np.zeros((count, 10), int), ("",) * count, ""
        )
        for place, count in enumerate((30, 300))
    ]
    learnt = sample_faces(sets, 8, 33)[:, 0, 0]
    assert np.bincount(learnt).tolist() == [3, 30]
    assert len(sample_faces(sets, 8, 1000)) == 330


def test_kernels_that_have_come_from_one_stay() -> None:
    small = factorised(network(rank=WIDTH), FACES, 0.5)
    assert factorised(small, FACES, 0.5) == small


def test_a_kernel_that_always_answers_the_same_still_does() -> None:
    silent = network(rank=WIDTH)
    for value in silent.graph.initializer:
        if value.name == "last":
            value.CopyFrom(numpy_helper.from_array(np.zeros((WIDTH, WIDTH, 3, 3), "f4"), "last"))
    small = factorised(silent, FACES, 0.9)
    np.testing.assert_allclose(answer(small), answer(silent), atol=1e-6)
