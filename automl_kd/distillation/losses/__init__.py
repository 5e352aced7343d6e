"""Losses, one file each: a pure function of tensors, and the contract by which a recipe's part calls it."""

from collections.abc import Mapping
from types import MappingProxyType

from automl_kd.distillation.losses import attention_transfer, hint, kd, rkd, task
from automl_kd.distillation.losses._contract import Contract, Inputs

CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {
        "task": task.CONTRACT,
        "kd": kd.CONTRACT,
        "hint": hint.CONTRACT,
        "attention_transfer": attention_transfer.CONTRACT,
        "rkd": rkd.CONTRACT,
    }
)
"""The contract of every loss by its name under ``distill.losses``."""

__all__ = ["CONTRACTS", "Contract", "Inputs"]
