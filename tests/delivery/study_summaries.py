"""Summaries as a search hands them to its report."""


def recipe(family, **losses):
    return {
        "version": 1,
        "student": {"family": family, "width": 0.5},
        "distill": {"targets": "live", "losses": {"task": {"weight": 1.0}, **losses}},
        "train": {"epochs": 30, "optimizer": {"name": "sgd", "lr": 0.1}, "augment": ["crop"]},
    }


def entry(trial, accuracy, latency_ms, document):
    return {
        "trial": trial,
        "accuracy": accuracy,
        "latency_ms": latency_ms,
        "latency_low": 0.8 * latency_ms,
        "latency_high": 1.3 * latency_ms,
        "params": 12_345,
        "memory_bytes": 90_000,
        "coverage": 1.0,
        "recipe": document,
    }


def pick(trial, role, accuracy, latency_ms, over_plain_kd):
    return {
        "trial": trial,
        "role": role,
        "arm": "searched",
        "seeds": [1, 2],
        "test_accuracy": accuracy,
        "test_accuracy_std": 0.0042,
        "test_accuracy_deployed": accuracy - 0.001,
        "searched": accuracy,
        "no_distillation": 0.9312,
        "plain_kd": 0.9467,
        "plain_kd_setting": {"temperature": 4.0, "weight": 0.9},
        "gain_over_no_distillation": {"difference": 0.0199, "low": 0.0081, "high": 0.0322},
        "gain_over_plain_kd": over_plain_kd,
        "latency_ms": latency_ms,
        "latency_low": 0.8 * latency_ms,
        "latency_high": 1.3 * latency_ms,
        "path": "picks/3",
    }


def shared(hole, value, p, chosen=3, count=1):
    hits = {"chosen": chosen, "of_chosen": 3, "count": count, "of_count": 4}
    return {"hole": hole, "value": value, **hits, "p": p, "sure": p <= 0.05}


def understood():
    return {
        "task": "digits",
        "metric": "accuracy",
        "data": {
            "place": "photos",
            "layout": "one sub-folder a class",
            "counts": {"train": [70, 20], "validation": [15, 5], "test": [15, 5]},
            "class_names": ["cat", "dog"],
            "shape": [3, 32, 32],
            "stored": "uint16 PNG",
            "low": 12.0,
            "high": 4095.0,
            "pixels": "divided by 4095",
            "left_out": [{"reason": "no image: .txt", "count": 3, "example": "cat/notes.txt"}],
            "warnings": ["dog has 30 examples of 130"],
        },
        "teacher": {
            "status": "brought by the user",
            "training": None,
            "members": [
                {
                    "form": "ONNX file t.onnx, output y",
                    "input": "images (3, 32, 32)",
                    "classes": "by order (no names known)",
                    "outputs": "logits",
                    "correct": 0.1,
                    "images": 20,
                    "chance": 0.75,
                    "permuted": 0.9,
                    "warnings": ["say which output is which"],
                }
            ],
        },
        "warnings": ["dog has 30 examples of 130", "say which output is which"],
    }


def summary():
    """Three trials on the front, one behind it, one stopped, two picks."""
    front = [
        entry(5, 0.88, 0.31, recipe("resnet")),
        entry(3, 0.95, 0.742, recipe("mobilenet", kd={"weight": 1.0, "temperature": 4.0})),
        entry(9, 0.96, 2.2, recipe("mobilenet", hint={"weight": 0.5})),
    ]
    complete = [*front, entry(7, 0.80, 1.0, recipe("resnet"))]
    return {
        "study": "digits-jetson-nano",
        "task": "digits",
        "hw": "jetson-nano",
        "space": "tiny_cnn",
        "state": "done",
        "seed": 1,
        "teacher": {"accuracy": 0.9861, "validation_accuracy": 0.99, "sha256": "ab" * 32},
        "understood": understood(),
        "limits": {"max_latency_ms": 2.6, "max_params": None, "max_memory_bytes": None},
        "screened": 412,
        "trials": {"complete": 4, "pruned": 1, "failed": 2, "running": 0},
        "front": front,
        "complete": complete,
        "stopped": [{"trial": 11, "epochs": 1, "accuracy": 0.4, "latency_ms": 0.5}],
        "picks": [
            pick(3, "knee", 0.9511, 0.742, {"difference": 0.0044, "low": -0.0051, "high": 0.0133}),
            pick(9, "best", 0.9634, 2.2, {"difference": 0.0167, "low": 0.0051, "high": 0.0281}),
        ],
        "undistilled": [
            {"trial": 5, "role": "fastest", "missing": {"searched": "not trained before the time was used up"}}
        ],
        "seconds": {"budget": 180, "total": 176.2, "teacher": 11.3, "search": 102.9, "picks": 61.5},
        "between_ms": 38.2,
        "failures": [{"reason": "non-finite loss hint at step 41", "count": 2}],
        "common": {
            "looked_at": 1_234,
            "values": [shared("distill.losses.kd", "on", 0.0123, 3), shared("student", "mobilenet", 0.3, 2, 2)],
        },
        "importance": [
            {"hole": "train.optimizer", "accuracy": 1.0, "front": None, "trials": 61},
            {"hole": "student.stages", "accuracy": None, "front": 1.0, "trials": 59},
        ],
        "history": [
            {
                "trial": each["trial"],
                "seconds": 20.0 + 10 * index,
                "accuracy": each["accuracy"],
                "latency_ms": each["latency_ms"],
                "state": "COMPLETE",
            }
            for index, each in enumerate(complete)
        ],
    }
