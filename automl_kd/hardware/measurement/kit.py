"""A folder to carry to a device: models, a script that times them there, and the list that the results refer to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from pydantic import BaseModel, ConfigDict, ValidationError

from automl_kd.core import UserError, sha256_of, unknown
from automl_kd.hardware.calibration import LEAST_NETWORKS
from automl_kd.hardware.kernels.onnx_file import load
from automl_kd.hardware.measurement import kit_script
from automl_kd.hardware.measurement.feeds import fed_inputs
from automl_kd.hardware.measurement.latency import write_sentinels
from automl_kd.hardware.measurement.local import one_torch_thread
from automl_kd.hardware.measurement.network_file import write_network
from automl_kd.hardware.measurement.selection import Candidate, Design
from automl_kd.hardware.predictor.prediction import Prediction
from automl_kd.hardware.profile import Profile
from automl_kd.hardware.profile_file import Target
from automl_kd.onnxio import TFLITE


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KitTarget(_Part):
    """What the models are measured under."""

    device: str
    runtime: str
    precision: str
    threads: int

    @staticmethod
    def of(profile: Profile) -> KitTarget:
        """The target of a profile."""
        return _kit_target(profile.file.device, profile.target)

    @staticmethod
    def all_of(profile: Profile) -> dict[str, KitTarget]:
        """Every target in a profile's file, by its name."""
        return {name: _kit_target(profile.file.device, target) for name, target in profile.file.targets.items()}

    def difference(self, other: KitTarget) -> str | None:
        """The first thing in which another target differs, as ``runtime ncnn, not tensorrt``."""
        for field in KitTarget.model_fields:
            mine, theirs = getattr(self, field), getattr(other, field)
            if mine != theirs:
                return f"{field} {mine}, not {theirs}"
        return None


def _kit_target(device: str, target: Target) -> KitTarget:
    return KitTarget(device=device, runtime=target.runtime, precision=target.precision, threads=target.threads)


class KitInput(_Part):
    """An input of a model: its whole shape, and numpy's name of the type of its numbers."""

    shape: tuple[int, ...]
    type: str


class KitModel(_Part):
    """One model of a kit.

    Attributes:
        name: Unique in the kit.
        file: Its path inside the kit.
        sha256: Hash of the file.
        input: ``[C, H, W]`` of one input; of a user's own model the sizes of its first input, without the first axis.
        inputs: Every input of a user's own model, and of one that takes ids, by name; other models have one, of float32
            and with a batch of one.
        sentinel: Whether it watches for disturbances and takes no part in the calibration.
        origin: What it was made from; for a study's pick the number of its ``trial``.
        flops: Operations, a multiply-accumulate counted as 2.
        predicted_ms: Prediction of the profile that the kit was made with.
    """

    name: str
    file: str
    sha256: str
    input: tuple[int, ...]
    inputs: dict[str, KitInput] = {}
    sentinel: bool = False
    origin: dict[str, Any] = {}
    flops: int
    predicted_ms: float

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Whole shapes by name, where the file may leave them open."""
        return {name: each.shape for name, each in self.inputs.items()}


class Kit(_Part):
    """The list of a kit, stored as ``kit.json``.

    Attributes:
        automl_kd_kit: Version of this format.
        hw: The profile that the kit was made with.
        key: That profile's key.
        target: What the models are measured under.
        space: Where they come from.
        study: Whose picks they are, None for a choice of the space's networks.
        models: To be measured.
    """

    automl_kd_kit: int = 1
    hw: str
    key: str
    target: KitTarget
    space: str
    study: str | None = None
    models: tuple[KitModel, ...]


def write_kit(
    folder: Path,
    profile: Profile,
    hw: str,
    space: str,
    candidates: Sequence[Candidate],
    count: int,
    progress: Callable[[float, str], None] = lambda share, what: None,
    *,
    own: Sequence[Path] = (),
    inputs: Mapping[str, tuple[int, ...]] | None = None,
) -> Kit:
    """Write the folder: ``models/*.onnx``, ``kit.json``, ``measure.py`` and ``README.txt``; it appears whole or not.

    Args:
        folder: New or empty.
        profile: Of the device; what it predicts decides which candidates are informative.
        hw: What users call the profile.
        space: What users call the place where the candidates come from.
        candidates: To choose from.
        count: Models to choose, besides the two sentinels.
        progress: Told the share done and what is being done.
        own: ONNX files of the user's own, to be measured besides.
        inputs: Whole shapes of their inputs by name, where they leave sizes open.

    Raises:
        UserError: If the folder holds files, there are too few candidates or ``count`` is too small, the target is
            one that ONNX files do not stand for, or a file of the user's own cannot be measured.
    """
    if count < LEAST_NETWORKS:
        raise UserError(f"{count} models are too few for a calibration; ask for at least {LEAST_NETWORKS}")
    if count > len(candidates):
        raise UserError(f"only {len(candidates)} different networks were found; ask for at most that many, not {count}")
    _check(folder, profile)
    brought = _brought(own, inputs or {})
    progress(0.0, f"choosing {count} of {len(candidates)} networks")
    chosen = [candidates[index] for index in Design.of(profile, candidates).choose(count)]
    prices = profile.price([candidate.plan for candidate in chosen])

    def networks(models: Path) -> Iterator[KitModel]:
        for number, (candidate, price) in enumerate(zip(chosen, prices, strict=True)):
            progress(number / count, f"exporting {candidate.name}")
            with one_torch_thread():
                file = models / f"{candidate.name}.onnx"
                path = write_network(candidate.build(), file, candidate.input, profile.target)
            yield _entry(path, candidate.input.shape, price, dict(candidate.origin), inputs=_told(path))
        for path, fed in brought.items():
            copy = Path(shutil.copyfile(path, models / f"{path.stem}.onnx"))
            price = profile.predict(copy, inputs={name: each.shape for name, each in fed.items()})
            first = next(iter(fed.values()))
            yield _entry(copy, first.shape[1:], price, {"file": path.name}, inputs=fed)

    return _written(folder, profile, networks, hw=hw, space=space)


def write_picks_kit(folder: Path, profile: Profile, hw: str, space: str, study: str, picks: Mapping[int, Path]) -> Kit:
    """Write a kit of what a study delivered, so that its picks are measured as they are; it appears whole or not.

    Args:
        folder: New or empty.
        profile: Of the device.
        hw: What users call the profile.
        space: What users call the place where the study's networks come from.
        study: Its name.
        picks: The ONNX file of every pick by the number of its trial; where the runtime begins with a TensorFlow Lite
            file, that which lies beside it goes along.

    Raises:
        UserError: If the folder holds files, or the target is one that ONNX files do not stand for.
    """
    _check(folder, profile)
    begins_in_tflite = profile.target.loads is not None and profile.target.loads.begins == "tflite"

    def copies(models: Path) -> Iterator[KitModel]:
        for trial, file in picks.items():
            path = Path(shutil.copyfile(file, models / f"trial-{trial}.onnx"))
            made = file.with_name(TFLITE)
            if begins_in_tflite and made.is_file():
                shutil.copyfile(made, path.with_suffix(made.suffix))
            shape = profile.network(path).input[1:]
            yield _entry(path, shape, profile.predict(path), {"trial": trial}, inputs=_told(path))

    return _written(folder, profile, copies, hw=hw, space=space, study=study)


def read_kit(folder: Path) -> Kit:
    """The list of a kit whose files are all there and as they were written.

    Raises:
        UserError: If the folder is no kit, or one of its models is missing or was changed.
    """
    path = folder / "kit.json"
    if not path.is_file():
        raise UserError(f"{folder} is not a kit: it holds no kit.json; automl-kd hw kit makes one")
    try:
        kit = Kit.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise UserError(f"{path} is not the list of a kit: {what}") from error
    for model in kit.models:
        file = folder / model.file
        if not file.is_file():
            raise UserError(f"{folder} lacks {model.file}; results are read beside the kit as it was made")
        if sha256_of(file) != model.sha256:
            raise UserError(f"{file} is not the file that the kit was made with; its SHA-256 differs")
    return kit


def _brought(own: Sequence[Path], inputs: Mapping[str, tuple[int, ...]]) -> dict[Path, dict[str, KitInput]]:
    """The inputs of the user's own files; a shape goes to every file that has an input of the name."""
    names = {path: [value.name for value in load(path).inputs] for path in own}
    known = {name for several in names.values() for name in several}
    for name in inputs:
        if name not in known:
            raise unknown("input", name, known)
    stems = [path.stem for path in own]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise UserError(f"two of the models are called {twice[0]}; rename one, since a kit tells its models by name")
    found = {}
    for path, several in names.items():
        if _is_split(path):
            raise UserError(f"{path} keeps its weights in other files; save it as one, which a kit can carry")
        fed = fed_inputs(path, inputs={name: shape for name, shape in inputs.items() if name in several})
        found[path] = {name: KitInput(shape=shape, type=numbers.name) for name, (shape, numbers) in fed.items()}
    return found


def _told(path: Path) -> dict[str, KitInput]:
    """The inputs of an exported file, where they are not what a kit means without them: ``input`` alone, of float32."""
    fed = {name: KitInput(shape=shape, type=numbers.name) for name, (shape, numbers) in fed_inputs(path).items()}
    return {} if [(name, each.type) for name, each in fed.items()] == [("input", "float32")] else fed


def _is_split(path: Path) -> bool:
    tensors = onnx.load(path, load_external_data=False).graph.initializer
    return any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors)


def _check(folder: Path, profile: Profile) -> None:
    runtime, precision = profile.target.runtime, profile.target.precision
    if runtime not in kit_script.RUNTIMES:
        raise UserError(
            f"{profile.name}: a kit cannot measure under {runtime}; it can under {', '.join(kit_script.RUNTIMES)}"
        )
    if runtime == "onnxruntime" and precision != "fp32":
        raise UserError(f"{profile.name}: a kit's files are float32 and onnxruntime runs them so, not in {precision}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty; name a new folder for the kit")
    if folder.resolve() == Path.cwd():
        raise UserError(f"{folder} is the current folder; name a new folder for the kit")


def _written(
    folder: Path,
    profile: Profile,
    fill: Callable[[Path], Iterable[KitModel]],
    *,
    hw: str,
    space: str,
    study: str | None = None,
) -> Kit:
    """The kit of the models that ``fill`` puts into a folder, and of the two sentinels."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as workshop:
        draft = Path(workshop) / "kit"
        models = draft / "models"
        models.mkdir(parents=True)
        entries = list(fill(models))
        for path, shape in write_sentinels(models, profile.opset):
            entries.append(_entry(path, shape, profile.predict(path, shape), {}, sentinel=True))
        target = KitTarget.of(profile)
        kit = Kit(hw=hw, key=profile.key, target=target, space=space, study=study, models=tuple(entries))
        (draft / "kit.json").write_text(kit.model_dump_json(indent=1) + "\n", encoding="utf-8")
        shutil.copyfile(str(kit_script.__file__), draft / "measure.py")
        (draft / "README.txt").write_text(_readme(kit, folder.name), encoding="utf-8")
        if folder.exists():
            folder.rmdir()  # empty, as was checked
        draft.rename(folder)
    return kit


def _entry(
    path: Path,
    shape: tuple[int, ...],
    price: Prediction,
    origin: dict[str, Any],
    *,
    sentinel: bool = False,
    inputs: Mapping[str, KitInput] | None = None,
) -> KitModel:
    return KitModel(
        name=path.stem,
        file=f"models/{path.name}",
        sha256=sha256_of(path),
        input=shape,
        inputs=dict(inputs or {}),
        sentinel=sentinel,
        origin=origin,
        flops=price.flops,
        predicted_ms=price.ms,
    )


_NEEDS = {
    "onnxruntime": "onnxruntime and numpy for Python",
    "tensorrt": "trtexec, which comes with TensorRT (on a Jetson in /usr/src/tensorrt/bin)",
    "tflite": "tflite-runtime and numpy for Python, and the models as .tflite beside the .onnx files\n"
    "   (those of picks are there where their deliveries hold them; of others convert copies: onnx2tf rewrites what\n"
    "   it reads)",
    "edgetpu": "tflite-runtime, numpy, libedgetpu, and the models as _edgetpu.tflite beside the .onnx files\n"
    "   (edgetpu_compiler makes them of .tflite, which lie there for picks whose deliveries hold them)",
    "ncnn": "benchncnn and onnx2ncnn of ncnn, on the PATH or in this folder",
}


def _readme(kit: Kit, folder: str) -> str:
    runtime = kit.target.runtime
    needs = next(what for name, what in _NEEDS.items() if runtime.startswith(name))
    if kit.study is None:
        where, command = "run", f"hw calibrate --from results.jsonl --name my-{kit.hw.replace(':', '-')}"
    else:
        where, command = "run, where the study was searched", f"hw verify --from {folder}/results.jsonl"
    lines = [
        f"Measurement kit for {kit.target.device}: {runtime}, {kit.target.precision}, {kit.target.threads} thread(s).",
        *([] if kit.study is None else [f"It holds the picks of study {kit.study}."]),
        "",
        "1. Copy this folder to the device. There it needs Python 3.6 or newer and",
        f"   {needs}.",
        "2. Fix the clocks where that is possible (Jetson: sudo nvpmodel -m 0; sudo jetson_clocks), close other",
        "   programs, and run",
        "       python3 measure.py",
        f"   It visits {len(kit.models)} models in at least three rounds and writes results.jsonl.",
        f"3. Copy results.jsonl back into this folder and {where}",
        f"       automl-kd {command}",
        "",
        "kit.json lists every model with its SHA-256, what it was made from, and the latency predicted so far.",
    ]
    return "\n".join(lines) + "\n"
