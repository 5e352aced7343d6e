"""Losses, one file each: a pure function of tensors, and the contract by which a recipe's part calls it."""

from collections.abc import Mapping
from types import MappingProxyType

from automl_kd.distillation.losses import (
    attention_transfer,
    dist,
    hint,
    kd,
    nst,
    pkt,
    rkd_angle,
    rkd_distance,
    similarity_preserving,
    task,
)
from automl_kd.distillation.losses._contract import Compare, Contract, Inputs, Kind, Moment, Pair, Scene, WithOwn

CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {
        "task": task.CONTRACT,
        "kd": kd.CONTRACT,
        "hint": hint.CONTRACT,
        "attention_transfer": attention_transfer.CONTRACT,
        "rkd_distance": rkd_distance.CONTRACT,
        "rkd_angle": rkd_angle.CONTRACT,
        "dist": dist.CONTRACT,
        "similarity_preserving": similarity_preserving.CONTRACT,
        "nst": nst.CONTRACT,
        "pkt": pkt.CONTRACT,
    }
)
"""The contract of every loss by its name under ``distill.losses``."""

__all__ = ["CONTRACTS", "Compare", "Contract", "Inputs", "Kind", "Moment", "Pair", "Scene", "WithOwn"]
