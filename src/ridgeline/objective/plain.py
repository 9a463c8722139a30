"""Operations in plain arithmetic, for derivatives of derivatives.

Some of torch's fused kernels do not serve there. The second forward derivative of `layer_norm`
and of its kin is wrong without a word (found against differences, torch 2.13: the mean and the
deviation that the kernel keeps for its first derivative carry none of their own), `batch_norm`
refuses running statistics that move, and `silu` has no second derivative. Backwards, of 126
operations and layers of torch one was wrong: in the derivative of `weight_norm` its norms, kept
from the first pass, are constants.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["Plain"]


class Plain(TorchFunctionMode):
    """While this is entered, such operations are computed from sums, products and powers.

    Args:
        backward: Only those whose derivative backwards has a wrong derivative.
    """

    def __init__(self, *, backward: bool = False) -> None:
        super().__init__()
        self._plain = _BACKWARD if backward else _PLAIN

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return self._plain.get(func, func)(*args, **(kwargs or {}))


def _standard(x: Tensor, axes: list[int], eps: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred * (centred.square().mean(axes, keepdim=True) + eps).rsqrt()


def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,  # noqa: ARG001 (the kernel's)
) -> Tensor:
    out = _standard(input, list(range(-len(normalized_shape), 0)), eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    axes = list(range(-len(normalized_shape), 0))
    small = torch.finfo(input.dtype).eps if eps is None else eps
    out = input * (input.square().mean(axes, keepdim=True) + small).rsqrt()
    return out if weight is None else out * weight


def _group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: ARG001 (the kernel's)
) -> Tensor:
    grouped = input.reshape(len(input), num_groups, -1)
    return _by_channel(_standard(grouped, [-1], eps).reshape(input.shape), weight, bias)


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,  # noqa: ARG001 (of statistics that are not gathered here)
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: ARG001 (the kernel's)
) -> Tensor:
    if training or running_mean is None or running_var is None:
        axes = [0, *range(2, input.ndim)]
        return _by_channel(_standard(input, axes, eps), weight, bias)
    scale = (running_var + eps).rsqrt()
    return _by_channel(_by_channel(input, scale, -running_mean * scale), weight, bias)


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,  # noqa: ARG001 (of statistics that are not gathered here)
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: ARG001 (the kernel's)
) -> Tensor:
    if not use_input_stats:
        return _batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    return _by_channel(_standard(input, list(range(2, input.ndim)), eps), weight, bias)


def _silu(input: Tensor, inplace: bool = False) -> Tensor:  # noqa: ARG001 (an economy)
    return input * input.sigmoid()


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    return v * (g / torch.norm_except_dim(v, 2, dim))


def _by_channel(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Scaled and shifted along the second axis."""
    shape = (-1, *[1] * (x.ndim - 2))
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


_BACKWARD: dict[Callable[..., Any], Callable[..., Any]] = {
    torch._weight_norm: _weight_norm,  # pyright: ignore[reportPrivateImportUsage]  (what modules call)
}
# Modules call `torch.nn.functional`; others may call the operation itself.
_PLAIN: dict[Callable[..., Any], Callable[..., Any]] = {
    **_BACKWARD,
    F.layer_norm: _layer_norm,
    torch.layer_norm: _layer_norm,
    F.rms_norm: _rms_norm,
    torch.rms_norm: _rms_norm,
    F.group_norm: _group_norm,
    torch.group_norm: _group_norm,
    F.batch_norm: _batch_norm,
    torch.batch_norm: _batch_norm,
    F.instance_norm: _instance_norm,
    torch.instance_norm: _instance_norm,
    F.silu: _silu,
}
