"""Networks of images of transformers, as the ``config.json`` of ``save_pretrained`` describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from automl_kd.core import UserError, first_line, import_extra
from automl_kd.students.brought.trunk import Library, Named

_WIDTH = 3  # of the classifier that is taken off again
# What of a configuration says nothing of the network.
_BESIDE = ("_name_or_path", "architectures", "auto_map", "dtype", "id2label", "label2id", "num_labels", "torch_dtype",
           "transformers_version")  # fmt: skip


def transformers_network(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The part of a ``config.json`` that decides the network.

    Args:
        config: The content of the file.
        where: The folder, for errors.

    Raises:
        UserError: If transformers is not installed, or knows no such network.
    """
    _configuration(config, f"{where}/config.json")
    return {key: value for key, value in config.items() if key not in _BESIDE}


@contextmanager
def silent(logging: Any) -> Iterator[None]:
    """Without bars and tables of transformers on standard error: what matters of them is told in one line."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


class Vector(nn.Module):
    """A network of transformers whose answer is one vector (B, D) for each image.

    Where it was made for classes that is what their last layer reads, else what the network itself pools.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        answer = self.network(images)
        vector: Tensor = answer.logits if "logits" in answer else answer.pooler_output
        return vector.flatten(1)


def _library() -> Any:
    return import_extra("transformers", "text", "a network of transformers")


def _configuration(network: Mapping[str, Any], where: str) -> Any:
    transformers = _library()
    kind = network.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise UserError(f"{where}: model_type: {kind!r} is no network of transformers {transformers.__version__}")
    plain = {key: value for key, value in network.items() if key not in _BESIDE}
    with silent(transformers.utils.logging):
        return transformers.CONFIG_MAPPING[kind].from_dict({**plain, "num_labels": _WIDTH})


def _trunk(network: Mapping[str, Any], channels: int) -> nn.Module:
    title = _title(network)
    config = _configuration(network, title)
    with silent(_library().utils.logging):
        try:
            module = _class(config)(config).float()
        except Exception as error:  # transformers raises what its many parts raise
            raise UserError(f"transformers cannot build {title}: {first_line(error)}") from None
    last = _last_layer(module)
    if last is not None:
        parent, _, name = last.rpartition(".")
        setattr(module.get_submodule(parent), name, nn.Identity())
    return Vector(module)


def _named(network: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Named:
    """Renamed as the library itself renames the tensors of older files, and of networks with and without a classifier.

    What the library would fill with random numbers is left out.
    """
    config = _configuration(network, _title(network))
    with silent(_library().utils.logging), torch.random.fork_rng(devices=[]):
        module, loading = _class(config).from_pretrained(
            None, config=config, state_dict=dict(tensors), ignore_mismatched_sizes=True, output_loading_info=True
        )
    other = {str(name): shape for name, shape, _ in loading["mismatched_keys"]}
    random = {*map(str, loading["missing_keys"]), *other}
    found = {name: tensor for name, tensor in module.state_dict().items() if name not in random}
    found |= {name: torch.empty(shape, device="meta") for name, shape in other.items()}
    last = _last_layer(module)
    return Named(
        {f"network.{name}": tensor for name, tensor in found.items()},
        () if last is None else (f"network.{last}.",),
        tuple(map(str, loading["unexpected_keys"])),
    )


def _title(network: Mapping[str, Any]) -> str:
    return f"{network.get('model_type')} of transformers"


def _class(config: Any) -> Any:
    """The class that is made for classes of images, so that its vector is what its classifier reads; else the bare one.

    Networks of text and images are read for their images alone.
    """
    known = _library().models.auto.modeling_auto
    classifiers = known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING
    return classifiers[type(config)] if type(config) in classifiers else known.MODEL_MAPPING[type(config)]


def _last_layer(module: nn.Module) -> str | None:
    """The path of the classifier; None for a network that has none."""
    linear = [
        name for name, each in module.named_modules() if isinstance(each, nn.Linear) and each.out_features == _WIDTH
    ]
    return linear[-1] if linear else None


LIBRARY = Library(_trunk, _named, _title)
