"""torchdistill 1.1.5 through its own public interface: a training configuration, its box, its data loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.distillation.contender_plain import initial_student
from benchmarks.distillation.speed_trials import (
    BATCH,
    LEARNING_RATE,
    MOMENTUM,
    PAIR,
    WEIGHT_DECAY,
    Clock,
    Images,
    SameOrder,
    Spent,
    Splits,
    Trial,
    accuracy,
    read_teacher,
)
from benchmarks.networks.libraries import declare_operators


class Torchdistill:
    """Trains through ``get_distillation_box``, the loop around it as in torchdistill's own examples."""

    def __init__(self, folder: Path, images: int, epochs: int, augment: bool) -> None:
        self.folder, self.epochs, self.augment = folder, epochs, augment
        self.splits = Splits.load(folder / "splits.pt")
        self.shape = tuple(self.splits.train[0].shape[1:])
        self.operators = declare_operators()
        from torchdistill.core.distillation import get_distillation_box
        from torchdistill.models.registry import register_auxiliary_model_wrapper
        from torchdistill.models.wrapper import AuxiliaryModelWrapper

        class StudentWithRegressor(AuxiliaryModelWrapper):  # type: ignore[misc]
            """The student and a FitNets regressor on one of its maps, as torchdistill adds modules to a student."""

            def __init__(self, student_model: nn.Module, **kwargs: Any) -> None:
                super().__init__()
                from torchdistill.models.adaptation import ConvReg

                self.student_model = student_model
                self.regressor = ConvReg(PAIR[2], PAIR[3], 1, 1, 0)

            def forward(self, images: torch.Tensor) -> torch.Tensor:
                return self.student_model(images)

            def secondary_forward(self, io_dict: dict[str, Any]) -> None:
                self.regressor(io_dict[f"student_model.{PAIR[0]}"]["output"])

        register_auxiliary_model_wrapper(StudentWithRegressor)
        self.get_box = get_distillation_box

    def train(self, trial: Trial) -> tuple[Spent, float]:
        """Time, evaluation on the validation split included, and test accuracy."""
        clock = Clock()
        recipe = trial.recipe(self.epochs, self.augment)
        student, teacher = initial_student(trial, recipe, self.shape), read_teacher(self.folder, self.shape)
        data = Images(self.splits.train, self.augment)
        box = self.get_box(
            teacher, student, {"train": data}, self._config(trial, len(data)), torch.device("cpu"), None, False, 1
        )
        for epoch in range(self.epochs):
            box.pre_epoch_process(epoch=epoch)
            for images, labels, extra in box.train_data_loader:
                box.pre_forward_process()
                box.post_forward_process(box.forward_process(images, labels, extra))
            box.post_epoch_process()
        accuracy(student, self.splits.validation)
        spent = clock.read()
        found = accuracy(student, self.splits.test)
        box.clean_modules()
        return spent, found

    def _config(self, trial: Trial, count: int) -> dict[str, Any]:
        path = f"student_model.{PAIR[0]}" if trial.hint else PAIR[0]
        terms: dict[str, Any] = {
            "kd": {
                "criterion": {
                    "key": "KDLoss",
                    "kwargs": {
                        "student_module_path": ".",
                        "student_module_io": "output",
                        "teacher_module_path": ".",
                        "teacher_module_io": "output",
                        "temperature": trial.temperature,
                        "alpha": trial.task,
                        "beta": trial.kd,
                        "reduction": "batchmean",
                    },
                },
                "weight": 1.0,
            }
        }
        student: dict[str, Any] = {"forward_proc": "forward_batch_only"}
        teacher: dict[str, Any] = {"forward_proc": "forward_batch_only", "requires_grad": False}
        if trial.hint or trial.attention:
            teacher["forward_hook"] = {"output": [PAIR[1]]}
            student["forward_hook"] = {"output": [path]}
        if trial.hint:
            student["auxiliary_model_wrapper"] = {"key": "StudentWithRegressor"}
            student["forward_hook"]["output"].append("+regressor")
            terms["hint"] = {
                "criterion": {"key": "MSELoss", "kwargs": {"reduction": "mean"}},
                "criterion_wrapper": {
                    "key": "SimpleLossWrapper",
                    "kwargs": {
                        "input": {"is_from_teacher": False, "module_path": "+regressor", "io": "output"},
                        "target": {"is_from_teacher": True, "module_path": PAIR[1], "io": "output"},
                    },
                },
                "weight": trial.hint,
            }
        if trial.attention:
            pair = {"student": {"io": "output", "path": path}, "teacher": {"io": "output", "path": PAIR[1]}}
            terms["attention"] = {
                "criterion": {"key": "ATLoss", "kwargs": {"at_pairs": {"last": pair}, "mode": "code"}},
                "weight": trial.attention,
            }
        optimizer = {"lr": LEARNING_RATE, "momentum": MOMENTUM, "nesterov": True, "weight_decay": WEIGHT_DECAY}
        return {
            "num_epochs": self.epochs,
            "train_data_loader": {
                "dataset_id": "train",
                "sampler": {"class_or_func": SameOrder, "kwargs": {"seed": trial.seed}},
                "kwargs": {"batch_size": BATCH},
            },
            "teacher": teacher,
            "student": student,
            "optimizer": {"key": "SGD", "kwargs": optimizer},
            "scheduler": {
                "key": "CosineAnnealingLR",
                "kwargs": {"T_max": self.epochs * -(-count // BATCH)},
                "scheduling_step": 1,
            },
            "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": terms}},
        }
