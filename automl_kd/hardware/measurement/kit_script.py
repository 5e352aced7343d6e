"""Measure the models of this kit on the device that it was made for.

    python3 measure.py [--rounds 3] [--out results.jsonl]

It needs Python 3.6 or newer and the device's runtime; numpy only where the runtime is driven from Python. Models are
visited in several rounds of random order, together with two sentinel models whose times tell when the machine was
disturbed. The results are JSON lines: one about the device, then one for every model and round, times in milliseconds.
"""

import argparse
import glob
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

WARM_UP = 1.0  # seconds before the first timed run of a model
WARM_UP_RUNS = 10
TIMED = 0.3  # seconds of timed runs in a round
TIMED_RUNS = 30
LONGEST = 10.0  # seconds in a round; a slow model is repeated less often
CALM = 0.03  # rounds are added while the sentinels move further apart than this
SPARE_ROUNDS = 3
REFUSED = 0.10  # what a calibration will not take


class ProbeFailure(Exception):
    """A failure that the user can mend."""


class OnnxRuntime:
    """onnxruntime on the CPU, from Python."""

    def __init__(self, kit: "dict[str, Any]", folder: str) -> None:
        try:
            import numpy
            import onnxruntime
        except ImportError as error:
            raise ProbeFailure(f"this kit needs numpy and onnxruntime: {error}") from None
        self._numpy = numpy
        self._runtime = onnxruntime  # type: Any
        self._threads = int(kit["target"]["threads"])
        self._folder = folder
        self._warm = set()  # type: set[str]
        self.version = str(onnxruntime.__version__)

    def visit(self, model: "dict[str, Any]") -> "dict[str, float]":
        """Times of one model in one round."""
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        path = os.path.join(self._folder, model["file"])
        session = self._runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feeds = {}  # type: dict[str, Any]
        for name, (shape, kind) in inputs_of(model, session.get_inputs()[0].name).items():
            real = kind.startswith("float")  # whole numbers are 1: a token, a position that is kept, no divisor of zero
            values = self._numpy.random.RandomState(0).standard_normal(shape) if real else self._numpy.ones(shape)
            feeds[name] = self._numpy.asarray(values).astype(kind)
        outputs = [each.name for each in session.get_outputs()]
        first = model["name"] not in self._warm
        self._warm.add(model["name"])
        return timed(lambda: session.run(outputs, feeds), WARM_UP if first else 0.0)


class TFLite:
    """TensorFlow Lite from Python, on the CPU or with the delegate of an Edge TPU."""

    def __init__(self, kit: "dict[str, Any]", folder: str) -> None:
        self._edge = kit["target"]["runtime"] == "edgetpu"
        self._threads = int(kit["target"]["threads"])
        self._folder = folder
        self._warm = set()  # type: set[str]
        self._module, self.version = self._import()
        try:
            import numpy
        except ImportError:
            raise ProbeFailure("this kit needs numpy") from None
        self._numpy = numpy

    def _import(self) -> "tuple[Any, str]":
        for name in ("tflite_runtime", "ai_edge_litert", "tensorflow.lite.python"):
            try:
                module = __import__(name + ".interpreter", fromlist=["Interpreter"])
                root = __import__(name.split(".", maxsplit=1)[0])
            except ImportError:
                continue
            return module, str(getattr(root, "__version__", "unknown"))
        raise ProbeFailure("this kit needs TensorFlow Lite: install tflite-runtime, ai-edge-litert or tensorflow")

    def visit(self, model: "dict[str, Any]") -> "dict[str, float]":
        """Times of one model in one round."""
        ending = "_edgetpu.tflite" if self._edge else ".tflite"
        path = os.path.join(self._folder, os.path.splitext(model["file"])[0] + ending)
        if not os.path.exists(path):
            raise ProbeFailure(
                f"{path} is missing: convert a copy of every ONNX file on a PC (onnx2tf writes .tflite and rewrites"
                " what it reads, edgetpu_compiler makes _edgetpu.tflite) and put the result beside the file"
            )
        delegates = [self._module.load_delegate("libedgetpu.so.1")] if self._edge else None
        interpreter = self._module.Interpreter(
            model_path=path, num_threads=self._threads, experimental_delegates=delegates
        )
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], self._numpy.zeros(detail["shape"], dtype=detail["dtype"]))
        first = model["name"] not in self._warm
        self._warm.add(model["name"])
        return timed(interpreter.invoke, WARM_UP if first else 0.0)


class TensorRT:
    """TensorRT through trtexec; engines are built once and kept in the folder engines."""

    def __init__(self, kit: "dict[str, Any]", folder: str) -> None:
        found = shutil.which("trtexec") or "/usr/src/tensorrt/bin/trtexec"
        if not os.path.exists(found):
            raise ProbeFailure("this kit needs trtexec, which is neither on the PATH nor in /usr/src/tensorrt/bin")
        self._program = found
        self._precision = kit["target"]["precision"]
        self._folder = folder
        self._engines = os.path.join(folder, "engines")
        os.makedirs(self._engines, exist_ok=True)
        match = re.search(r"TensorRT v(\d+)", run([found, "--help"], check=False))
        self.version = match.group(1) if match else "unknown"

    def _engine(self, model: "dict[str, Any]", shapes: str) -> str:
        path = os.path.join(self._engines, f"{model['name']}-{self._precision}-{model['sha256'][:12]}.engine")
        if not os.path.exists(path):
            say(f"building the engine of {model['name']}")
            source = os.path.join(self._folder, model["file"])
            # What int8 does not cover runs in fp16, as it would in use.
            flags = {"fp32": [], "fp16": ["--fp16"], "int8": ["--int8", "--fp16"]}[self._precision]
            draft = path + ".part"
            run([self._program, "--onnx=" + source, "--saveEngine=" + draft, shapes, "--duration=1", *flags])
            os.replace(draft, path)
        return path

    def visit(self, model: "dict[str, Any]") -> "dict[str, float]":
        """Times of one model in one round, of the work on the GPU: launches included, copies of the input not."""
        inputs = inputs_of(model, "input").items()
        each = ["'{}':{}".format(name, "x".join(map(str, shape)) or "scalar") for name, (shape, _) in inputs]
        shapes = "--shapes=" + ",".join(each)
        engine = self._engine(model, shapes)
        with tempfile.TemporaryDirectory() as scratch:
            times = os.path.join(scratch, "times.json")
            run(
                [
                    *(self._program, "--loadEngine=" + engine, shapes, "--exportTimes=" + times, "--useSpinWait"),
                    *(f"--warmUp={round(1000 * WARM_UP)}", "--duration=1", f"--iterations={TIMED_RUNS}"),
                ]
            )
            with open(times, encoding="utf-8") as file:
                rows = json.load(file)
        return summary([float(row["computeMs"]) for row in rows])


class Ncnn:
    """ncnn through its benchmark program, which tells the least and the mean time of a number of runs."""

    version = "unknown"

    def __init__(self, kit: "dict[str, Any]", folder: str) -> None:
        self._program = self._tool("benchncnn", folder)
        if self._program is None:
            raise ProbeFailure(
                "this kit needs benchncnn of ncnn's benchmark folder, on the PATH or in the kit's folder"
            )
        self._threads = int(kit["target"]["threads"])
        self._gpu = 0 if "vulkan" in kit["target"]["runtime"] else -1
        self._folder = folder

    def _tool(self, name: str, folder: str) -> "str | None":
        local = os.path.join(folder, name)
        return local if os.path.exists(local) else shutil.which(name)

    def _param(self, model: "dict[str, Any]") -> str:
        base = os.path.join(self._folder, os.path.splitext(model["file"])[0])
        if not os.path.exists(base + ".param"):
            convert = self._tool("onnx2ncnn", self._folder)
            if convert is None:
                raise ProbeFailure(
                    f"{base}.param is missing: convert every ONNX file of the kit with ncnn's onnx2ncnn (or put that"
                    " program on the PATH, and it is done here)"
                )
            run([convert, base + ".onnx", base + ".param", base + ".bin"])
        return base + ".param"

    def _bench(self, model: "dict[str, Any]", loops: int) -> "tuple[float, float]":
        shapes = [shape[1:] or shape for shape, _ in inputs_of(model, "input").values()]
        said = run(
            [
                *(self._program, str(loops), str(self._threads), "0", str(self._gpu), "0"),
                *(
                    "param=" + self._param(model),
                    "shape=" + ",".join(str(shape[::-1]).replace(" ", "") for shape in shapes),
                ),
            ]
        )
        found = re.search(r"min\s*=\s*([\d.]+).*avg\s*=\s*([\d.]+)", said)
        if found is None:
            raise ProbeFailure(f"benchncnn said no time for {model['file']}: {last_line(said)}")
        return float(found.group(1)), float(found.group(2))

    def visit(self, model: "dict[str, Any]") -> "dict[str, float]":
        """Times of one model in one round; p10 is the least time and median the mean, as the program tells no more."""
        _, mean = self._bench(model, 4)
        each = max(mean, 0.01) / 1000
        loops = int(min(max(TIMED_RUNS, TIMED / each), max(4.0, LONGEST / each)))
        least, mean = self._bench(model, loops)
        return {"runs": loops, "min": least, "p10": least, "median": mean}


RUNTIMES = {  # type: dict[str, Any]
    "onnxruntime": OnnxRuntime,
    "tensorrt": TensorRT,
    "tensorrt-before-volta": TensorRT,
    "tflite": TFLite,
    "tflite-2020": TFLite,
    "edgetpu": TFLite,
    "ncnn": Ncnn,
    "ncnn-vulkan": Ncnn,
}


def inputs_of(model: "dict[str, Any]", only: str) -> "dict[str, tuple[list[int], str]]":
    """Whole shape and type of every input of a model, by name; only is the name of an image model's one input."""
    named = {name: (each["shape"], each["type"]) for name, each in model.get("inputs", {}).items()}
    return named or {only: ([1] + model["input"], "float32")}


def timed(call: "Any", warm_up: float) -> "dict[str, float]":
    """Call until both the seconds and the runs are reached, or the longest is."""
    began = time.perf_counter()
    for index in range(10**9):
        spent = time.perf_counter() - began
        if (index >= WARM_UP_RUNS and spent >= warm_up) or spent >= LONGEST:
            break
        call()
    times = []
    began = time.perf_counter()
    while True:
        before = time.perf_counter()
        call()
        after = time.perf_counter()
        times.append(1000 * (after - before))
        spent = after - began
        if (spent >= TIMED and len(times) >= TIMED_RUNS) or spent >= LONGEST:
            return summary(times)


def summary(times: "list[float]") -> "dict[str, float]":
    """Quantiles of single runs."""
    ordered = sorted(times)
    last = len(ordered) - 1
    return {
        "runs": len(ordered),
        "min": ordered[0],
        "p10": ordered[int(0.1 * last)],
        "median": ordered[int(0.5 * last)],
    }


def run(words: "list[Any]", check: bool = True) -> str:
    """What a program writes to both of its outputs."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.communicate()[0].decode("utf-8", "replace")
    if check and process.returncode != 0:
        raise ProbeFailure(f"{' '.join(words)} failed: {last_line(said)}")
    return said


def last_line(text: str) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it wrote nothing"


def read(path: str) -> "str | None":
    """A small file's text, or None."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip("\0\n ")
    except OSError:
        return None


def device_facts() -> "dict[str, Any]":
    """What tells this machine and its state, as far as it can be read."""
    info = read("/proc/cpuinfo") or ""
    names = re.findall(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", info, re.MULTILINE)
    clocks = [clock(path, "scaling_") for path in sorted(glob.glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq"))]
    gpus = [path for path in sorted(glob.glob("/sys/class/devfreq/*")) if re.search("gpu|gp10b|gv11b|ga10b", path)]
    clocks += [clock(path, "") for path in gpus]
    zones = [read(path) for path in sorted(glob.glob("/sys/class/thermal/thermal_zone*/temp"))]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    cores = os.cpu_count() or 1
    # Clocks that cannot move and little else to do: then the median is the time, and not what disturbed it.
    fixed = bool(clocks) and all(each["governor"] == "performance" or each["min"] == each["max"] for each in clocks)
    return {
        "model": read("/proc/device-tree/model"),
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": cores,
        "system": platform.platform(),
        "release": (read("/etc/nv_tegra_release") or "").split("\n", maxsplit=1)[0] or None,
        "power_mode": last_line(run(["nvpmodel", "-q"], check=False)) if shutil.which("nvpmodel") else None,
        "python": platform.python_version(),
        "clocks": clocks,
        "temperature_c": [round(int(zone) / 1000, 1) for zone in zones if zone and zone.lstrip("-").isdigit()],
        "load": load,
        "locked": fixed and load is not None and load < 0.5 * cores,
    }


def clock(folder: str, prefix: str) -> "dict[str, Any]":
    """Governor and frequencies of one clock, as the system writes them."""
    names = {"governor": "governor", "now": "cur_freq", "min": "min_freq", "max": "max_freq"}
    found = {key: read(os.path.join(folder, prefix + name)) for key, name in names.items()}
    return dict(found, clock=folder.replace("/sys/", "", 1))


def apart(rounds: "list[dict[str, float]]") -> float:
    """How far the sentinels of a round moved apart, at worst: what no rescaling can mend."""
    middle = {name: sorted(each[name] for each in rounds)[len(rounds) // 2] for name in rounds[0]}
    shifts = [[each[name] / middle[name] - 1 for name in middle] for each in rounds]
    return max(max(each) - min(each) for each in shifts)


def calmest(rounds: "list[dict[str, float]]", count: int) -> "list[dict[str, float]]":
    """The rounds without those, as long as there are more than count, in which the sentinels moved furthest apart."""
    kept = list(rounds)
    while len(kept) > count:
        kept = min((kept[:place] + kept[place + 1 :] for place in range(len(kept))), key=apart)
    return kept


def say(text: str) -> None:
    """A line about what is going on."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="visits to every model, at least 3")
    parser.add_argument("--out", default="results.jsonl", help="file to write")
    options = parser.parse_args()
    folder = os.path.dirname(os.path.abspath(__file__))
    try:
        measure_models(folder, options.rounds, options.out)
    except ProbeFailure as failure:
        say(f"measure.py: {failure}")
        return 2
    return 0


def measure_models(folder: str, rounds: int, out: str) -> None:
    """Visit all models of the kit and write the results line by line."""
    if rounds < 3:
        raise ProbeFailure(f"--rounds {rounds}: fewer than 3 cannot tell a disturbed round")
    with open(os.path.join(folder, "kit.json"), encoding="utf-8") as file:
        kit = json.load(file)
    target = kit["target"]
    if target["runtime"] not in RUNTIMES:
        raise ProbeFailure(f"this script cannot drive the runtime {target['runtime']}; it knows {', '.join(RUNTIMES)}")
    runner = RUNTIMES[target["runtime"]](kit, folder)
    models, sentinels = kit["models"], [model["name"] for model in kit["models"] if model["sentinel"]]
    header = {"automl_kd_results": 1, "hw": kit["hw"], "key": kit["key"], "target": target}
    header.update(runtime_version=runner.version, batch=1, device=device_facts(), started=time.time())
    shuffle = random.Random(0)
    with open(out, "w", encoding="utf-8") as file:
        file.write(json.dumps(header) + "\n")
        seen = []  # type: list[dict[str, float]]
        for number in range(rounds + SPARE_ROUNDS):
            say(f"round {number + 1}: {len(models)} models")
            order = list(models)
            shuffle.shuffle(order)
            labels = {}
            for model in order:
                times = runner.visit(model)
                line = dict(times, model=model["name"], sha256=model["sha256"], round=number)
                file.write(json.dumps(line) + "\n")
                file.flush()
                if model["name"] in sentinels:
                    labels[model["name"]] = times["p10"]
            seen.append({name: labels[name] for name in sentinels})
            if len(seen) >= rounds and apart(calmest(seen, rounds)) <= CALM:
                break
        file.write(json.dumps({"rounds": len(seen), "ended": time.time(), "device": device_facts()}) + "\n")
    say(f"{len(models)} models, {len(seen)} rounds -> {out}")
    worst = apart(calmest(seen, rounds))
    if worst > REFUSED:
        say(f"the two sentinels moved {100 * worst:.0f} % apart: too noisy; close other programs and measure again")


if __name__ == "__main__":
    sys.exit(main())
