"""Large kernels as two smaller ones, where their answers lie in few directions.

Source: Zhang et al. 2016, "Accelerating very deep convolutional networks for classification and
detection", arXiv 1505.06798, without its treatment of the non-linearity.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mien.datasets.faces import FaceSet
from mien.errors import ConfigError
from mien.evaluation.scoring import network_faces
from mien.sessions import create_session

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]

#: Share of the variance of a kernel's answers that is left where it costs next to nothing.
KEPT_VARIANCE = 0.999
#: Training faces that variances are measured on.
FACES = 1024
BATCH = 32
#: A kernel stays whole unless so large a share of its weights is saved.
LEAST_SAVED = 0.1
#: What the names of the two kernels, and of the bias, that come from one have at their end.
FIRST, LAST, OFFSET = "_first", "_last", "_offset"


class Moments(NamedTuple):
    """Mean (C,) and covariance (C, C) of what a convolution answers, over faces and places."""

    mean: Floats
    covariance: Floats


def check_kept_variance(kept_variance: float) -> None:
    """Raise ConfigError unless it is a share above 0, up to 1."""
    if not 0 < kept_variance <= 1:
        raise ConfigError(f"kept_variance is {kept_variance!r}, expected a share above 0, up to 1")


def sample_faces(train: Sequence[FaceSet], side: int, count: int = FACES) -> Images:
    """About so many faces (N, side, side) to learn from, spread over all."""
    every = slice(None, None, max(1, sum(map(len, train)) // count))
    return np.concatenate([network_faces(one.select(every), side) for one in train])


def input_batches(faces: Images) -> Iterator[dict[str, Images]]:
    """Faces (N, S, S) as the input of a network, not too many at a time."""
    for start in range(0, len(faces), BATCH):
        yield {"faces": faces[start : start + BATCH]}


def factorised(network: onnx.ModelProto, faces: Images, kept_variance: float) -> onnx.ModelProto:
    """A network whose large kernels are replaced by two smaller ones after one another.

    The first has so few channels that they hold the given share of the variance of what the
    kernel answers to faces (its principal components), the second, 1 x 1, brings them back.

    Kernels that have come from one already stay as they are.

    Args:
        network: an ONNX network of convolutions with a bias.
        faces: uint8 (N, S, S), the variance is measured on them.
        kept_variance: above 0, up to 1; with 1 the network stays as it is.
    """
    stored = {one.name for one in network.graph.initializer}
    nodes = [node for node in network.graph.node if _is_dense(node, stored)]
    if kept_variance >= 1 or not nodes:
        return network
    changed = onnx.ModelProto()
    changed.CopyFrom(network)
    moments = _moments(network, [node.output[0] for node in nodes], faces)
    for node in nodes:
        _replace(changed.graph, node, moments[node.output[0]], kept_variance)
    _drop_unused(changed.graph)
    return changed


def _is_dense(node: onnx.NodeProto, stored: set[str]) -> bool:
    """Whether it is a convolution of all channels, with kernel and bias as they are stored."""
    groups = [attribute.i for attribute in node.attribute if attribute.name == "group"]
    is_whole = len(node.input) == 3 and stored.issuperset(node.input[1:])
    is_one = is_whole and not node.input[1].endswith((FIRST, LAST))
    return node.op_type == "Conv" and groups in ([], [1]) and is_one


def _moments(network: onnx.ModelProto, names: Sequence[str], faces: Images) -> dict[str, Moments]:
    """Moments of inner values (N, C, H, W) of a network."""
    shown = onnx.ModelProto()
    shown.CopyFrom(network)
    for name in names:
        shown.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = create_session(shown.SerializeToString())
    products = dict.fromkeys(names, np.zeros((1, 1)))
    for batch in input_batches(faces):
        answers = session.run(list(names), batch)
        for name, answer in zip(names, answers, strict=True):
            rows = np.moveaxis(answer, 1, -1).reshape(-1, answer.shape[1]).astype(np.float64)
            rows = np.column_stack([np.ones(len(rows)), rows])  # products with 1 are sums
            products[name] = products[name] + rows.T @ rows
    return {name: _central(one / one[0, 0]) for name, one in products.items()}


def _central(products: Floats) -> Moments:
    mean = products[0, 1:]
    return Moments(mean, products[1:, 1:] - np.outer(mean, mean))


def _replace(
    graph: onnx.GraphProto, node: onnx.NodeProto, moments: Moments, kept_variance: float
) -> None:
    """Put two convolutions in the place of one, if that saves enough."""
    values = {one.name: one for one in graph.initializer}
    kernel, bias = (numpy_helper.to_array(values[name]) for name in node.input[1:])
    directions = _main_directions(moments.covariance, kept_variance)  # (C, R)
    rank = directions.shape[1]
    if rank * (kernel[0].size + len(kernel)) > (1 - LEAST_SAVED) * kernel.size:
        return
    first = np.tensordot(directions.T, kernel, axes=1)
    last = directions[:, :, None, None]
    offset = moments.mean + directions @ (directions.T @ (bias - moments.mean))
    name = node.input[1]
    for end, value in ((FIRST, first), (LAST, last), (OFFSET, offset)):
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name + end))
    place = [one.output[:] for one in graph.node].index(node.output[:])
    del graph.node[place]
    for new in reversed(list(_pair(node))):
        graph.node.insert(place, new)


def _pair(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    settings = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    (features, kernel, _), (name,) = node.input, node.output
    inner = f"{name}_inner"
    yield helper.make_node("Conv", [features, kernel + FIRST], [inner], name=inner, **settings)
    yield helper.make_node(
        "Conv", [inner, kernel + LAST, kernel + OFFSET], [name], name=f"{name}_outer"
    )


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _main_directions(covariance: Floats, kept_variance: float) -> Floats:
    """The fewest orthonormal directions (C, R) that hold a share of the variance."""
    variances, directions = np.linalg.eigh(covariance)
    shares = np.cumsum(variances[::-1]) / max(variances.sum(), np.finfo(np.float64).tiny)
    rank = int(np.searchsorted(shares, kept_variance)) + 1
    return np.asarray(directions[:, ::-1][:, :rank])
