"""Normalisation folded into the convolutions before it, as in model files, and taken out again."""

import copy
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mien.training.low_rank import FIRST, LAST, OFFSET

#: What the names in a model file have before and after those in the network.
BEFORE, AFTER = "network.", "_half"


class _Kernel(NamedTuple):
    node: fx.Node
    module: nn.Conv2d


class _Norm(NamedTuple):
    node: fx.Node
    module: nn.BatchNorm2d


def folded(network: nn.Module) -> nn.Module:
    """A copy on the CPU in which every convolution takes in the normalisation that follows it."""
    traced = _traced(network)
    for kernel, norm in list(_normalised(traced)):
        traced.set_submodule(str(kernel.node.target), fuse_conv_bn_eval(kernel.module, norm.module))
        norm.node.replace_all_uses_with(kernel.node)
        traced.graph.erase_node(norm.node)
    traced.recompile()
    return traced


def model_weights(content: bytes) -> dict[str, Tensor]:
    """The weights of a model file by their names in the folded network, its kernels whole."""
    values = {
        one.name.removeprefix(BEFORE).removesuffix(AFTER): torch.from_numpy(
            numpy_helper.to_array(one).astype(np.float32)
        )
        for one in onnx.load_from_string(content).graph.initializer
        if one.name.startswith(BEFORE)
    }
    for name in [one.removesuffix(LAST) for one in values if one.endswith(LAST)]:
        first, last = values.pop(name + FIRST), values.pop(name + LAST)
        values[name] = torch.tensordot(last[:, :, 0, 0], first, dims=1)
        values[name.removesuffix("weight") + "bias"] = values.pop(name + OFFSET)
    return values


def unfolded(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights for a network from those of its folded form: normalisation adds the biases only."""
    found = dict(weights)
    for kernel, norm in _normalised(_traced(network)):
        if (bias := found.get(f"{kernel.node.target}.bias")) is None:
            continue
        added = torch.zeros_like(bias)
        if kernel.module.bias is None:
            added = found.pop(f"{kernel.node.target}.bias")
        found |= {
            f"{norm.node.target}.bias": added,
            f"{norm.node.target}.weight": torch.full_like(bias, (1 + norm.module.eps) ** 0.5),
            f"{norm.node.target}.running_mean": torch.zeros_like(bias),
            f"{norm.node.target}.running_var": torch.ones_like(bias),
            f"{norm.node.target}.num_batches_tracked": torch.tensor(0),
        }
    return found


@torch.no_grad()
def restore_normalisation(
    network: nn.Module, faces: Tensor, given: Container[str] | None = None
) -> None:
    """Give normalisations the statistics of their inputs; what the network answers stays.

    Args:
        network: any.
        faces: (N, 1, S, S) from 0 to 1, that the inputs are measured on.
        given: the names of the weights that are no random ones, whose normalisations it is; None:
            all.
    """
    inputs: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def measure(module: nn.Module, values: tuple[Tensor, ...], _output: Tensor) -> None:
        assert isinstance(module, nn.BatchNorm2d)
        inputs[module] = values[0].mean(dim=(0, 2, 3)), values[0].var(dim=(0, 2, 3))

    norms = [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d) and (given is None or f"{name}.weight" in given)
    ]
    hooks = [norm.register_forward_hook(measure) for norm in norms]
    network.eval()(faces)
    for hook in hooks:
        hook.remove()
    for norm, (mean, variance) in inputs.items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        norm.bias.add_(scale * (mean - norm.running_mean))
        norm.weight.copy_(scale * (variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


def _traced(network: nn.Module) -> fx.GraphModule:
    return fx.symbolic_trace(copy.deepcopy(network).cpu().eval())


def _normalised(traced: fx.GraphModule) -> Iterator[tuple[_Kernel, _Norm]]:
    """Every convolution whose answers are normalised, and the normalisation."""
    for node in traced.graph.nodes:
        before = node.all_input_nodes[0] if node.all_input_nodes else None
        if node.op != "call_module" or before is None or before.op != "call_module":
            continue
        kernel, norm = traced.get_submodule(before.target), traced.get_submodule(node.target)
        if isinstance(kernel, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            yield _Kernel(before, kernel), _Norm(node, norm)
