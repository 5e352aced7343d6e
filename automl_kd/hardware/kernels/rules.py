"""What each runtime fuses, skips and executes: tables kept as data, one file a runtime in ``runtimes/``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from automl_kd.core import load_yaml, unknown
from automl_kd.hardware.kernels.graph import TYPES, Kind

_FOLDER = Path(__file__).parent / "runtimes"
_CONSTANT = "constant "
_REPEATED = "*"
_BEFORE = " before "

Zeros = Literal["fold", "store", "keep"]
Dead = Literal["drop", "execute"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a kernel absorbs at one point of its epilogue.

    Attributes:
        types: Operators that join whatever else they read.
        constants: Operators that join where everything else they read is one constant per channel, which folds into
            the weights.
        repeated: Any number of them joins, not just one.
        followed: Only where one of these types alone reads the result; ``None`` where that does not matter.
    """

    types: frozenset[str]
    constants: frozenset[str]
    repeated: bool
    followed: frozenset[str] | None


class Blocked(BaseModel):
    """What a runtime computes with channels in blocks.

    Attributes:
        align: The channels of a convolution that reads blocks are a multiple of this.
        pools: Types that work in blocks where the channels fill them, and have their operand reordered for it.
        filled: Types that stay in blocks where all operands lie there and fill them.
        together: Types that stay in blocks where all operands lie there and have one shape.
        alone: Types of one operand that stay in blocks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    align: int
    pools: frozenset[str]
    filled: frozenset[str]
    together: frozenset[str]
    alone: frozenset[str]


class Overwrites(BaseModel):
    """Kinds of kernels that a runtime writes over their only operand, where nothing reads that afterwards.

    Attributes:
        by_pixel: Pixel after pixel; of these only 1x1 convolutions that read each pixel at its own place.
        by_channel: Channel after channel, one of them kept aside; only where the result is no larger.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by_pixel: frozenset[Kind] = frozenset()
    by_channel: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """How one runtime executes a graph.

    Attributes:
        before: For the type of a kernel's first operator, what joins it from in front.
        then: For the type of a kernel's first operator, what it absorbs in turn; each step may be absent.
        free: Types that cost no kernel: the runtime writes their inputs where the result is wanted.
        rescaled: Types whose operands must have one scale, so that in a network of integers they are converted before
            where others read them too.
        unrolled: Recurrent types of which every step is a kernel of its own.
        zeros: Whether what is multiplied by zero is folded away with all that follows from it, stored as a constant
            that other operators read, or computed all the same.
        dead: Whether operators are dropped or executed whose result nobody reads or another has already computed.
        dense_weight_bytes: Bytes of one weight of a matrix product at most; ``None`` where the precision decides.
        accelerated: Types that an accelerator executes; everything from the first other operator on runs on its host.
            ``None`` where there is one processor.
        host: Types that run on the host, each for itself with what it absorbs, by the rows of the result (all axes but
            the last) from which on they do.
        blocked: What is computed with channels in blocks; ``None`` where nothing is.
        groups: Whether a convolution in groups is one kernel, or as many convolutions, one after another.
        composites: Functions written out as several operators that the runtime executes as one; ``None`` for all.
        elementary: Operations of one element of operators that take more than one, by type; ``softmax across`` where
            it gathers what lies apart.
        integers: Of a runtime that computes quantised networks with integers beside floats: how many times as fast as
            floats, by kind or type; ``None`` of one that does not.
        overwrites: Kernels that write their result over their operand.
    """

    before: Mapping[str, frozenset[str]]
    then: Mapping[str, tuple[Step, ...]]
    free: frozenset[str]
    rescaled: frozenset[str]
    unrolled: frozenset[str]
    zeros: Zeros
    dead: Dead
    dense_weight_bytes: int | None
    accelerated: frozenset[str] | None
    host: Mapping[str, int]
    blocked: Blocked | None
    groups: Literal["together", "apart"]
    composites: frozenset[str] | None
    elementary: Mapping[str, float]
    integers: Mapping[str, float] | None
    overwrites: Overwrites


def runtimes() -> tuple[str, ...]:
    """Names that ``rules_of`` knows."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def rules_of(runtime: str) -> Rules:
    """The rules of a runtime.

    Raises:
        UserError: If there are none.
    """
    if runtime not in runtimes():
        raise unknown("runtime", runtime, runtimes())
    return _Table.model_validate(_document(runtime)).rules()


def root_of(runtime: str) -> str:
    """The runtime that a runtime's table extends in the end: variants of one share it.

    Raises:
        UserError: If there are no rules for the runtime.
    """
    if runtime not in runtimes():
        raise unknown("runtime", runtime, runtimes())
    parent = _content(runtime).get("extends")
    return runtime if parent is None else root_of(parent)


def _document(runtime: str) -> dict[str, Any]:
    """The content of a file over what it extends: sources add up, and each set is replaced for itself."""
    own = _content(runtime)
    parent = own.pop("extends", None)
    if parent is None:
        return own
    inherited = _document(parent)
    sets = inherited.get("sets", {}) | own.get("sets", {})
    return inherited | own | {"sources": inherited["sources"] + own["sources"], "sets": sets}


def _content(runtime: str) -> dict[str, Any]:
    found: dict[str, Any] = load_yaml((_FOLDER / f"{runtime}.yaml").read_text(encoding="utf-8"))
    return found


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Fusion(_Part):
    """One kind of kernel; every word is a type, or a set of the same table.

    In ``then`` a star lets it repeat, and ``sum before activation`` is a sum that only an activation reads.
    """

    first: tuple[str, ...]
    before: tuple[str, ...] = ()
    then: tuple[str, ...] = ()


class _Table(_Part):
    """A file: see ``Rules``; ``sets`` name lists of types that its fusions refer to."""

    sources: tuple[str, ...] = Field(min_length=1)
    zeros: Zeros
    dead: Dead
    free: frozenset[str]
    rescaled: frozenset[str] = frozenset()
    unrolled: frozenset[str] = frozenset()
    sets: dict[str, tuple[str, ...]] = {}
    fusions: tuple[_Fusion, ...] = ()
    dense_weight_bytes: int | None = None
    accelerated: frozenset[str] | None = None
    host: dict[str, int] = {}
    blocked: Blocked | None = None
    groups: Literal["together", "apart"] = "together"
    composites: frozenset[str] | None = None
    elementary: dict[str, float] = {}
    integers: dict[str, float] | None = None
    overwrites: Overwrites = Overwrites()

    def rules(self) -> Rules:
        return Rules(
            before={name: self._types(fusion.before) for fusion in self.fusions for name in self._types(fusion.first)},
            then={
                name: tuple(self._step(word) for word in fusion.then)
                for fusion in self.fusions
                for name in self._types(fusion.first)
            },
            free=self._types(self.free),
            rescaled=self._types(self.rescaled),
            unrolled=self._types(self.unrolled),
            zeros=self.zeros,
            dead=self.dead,
            dense_weight_bytes=self.dense_weight_bytes,
            accelerated=None if self.accelerated is None else self._types(self.accelerated),
            host=_named(self.host),
            blocked=self.blocked,
            groups=self.groups,
            composites=None if self.composites is None else _known(self.composites),
            elementary=_checked(self.elementary),
            integers=self.integers,
            overwrites=self.overwrites,
        )

    def _step(self, word: str) -> Step:
        word, before, follower = word.partition(_BEFORE)
        names = self._expanded([word.removesuffix(_REPEATED)])
        return Step(
            types=_known(name for name in names if not name.startswith(_CONSTANT)),
            constants=_known(name.removeprefix(_CONSTANT) for name in names if name.startswith(_CONSTANT)),
            repeated=word.endswith(_REPEATED),
            followed=self._types([follower]) if before else None,
        )

    def _types(self, words: Iterable[str]) -> frozenset[str]:
        return _known(self._expanded(words))

    def _expanded(self, words: Iterable[str]) -> frozenset[str]:
        found: set[str] = set()
        for word in words:
            found |= self._expanded(self.sets[word]) if word in self.sets else {word}
        return frozenset(found)


def _checked(factors: Mapping[str, float]) -> Mapping[str, float]:
    """The factors of types, or of types that gather what lies apart."""
    _known(name.removesuffix(" across") for name in factors)
    return factors


def _named(rows: Mapping[str, int]) -> Mapping[str, int]:
    """Numbers by type."""
    _known(rows)
    return rows


def _known(names: Iterable[str]) -> frozenset[str]:
    found = frozenset(names)
    if not found <= TYPES:
        raise ValueError(f"no operator has the type {', '.join(sorted(found - TYPES))}")
    return found
