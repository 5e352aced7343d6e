"""Texts as ids of words or characters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import TEXT_AXES, Input, counted, percent, whole
from automl_kd.recipes import MODALITIES
from automl_kd.tasks.modalities.modality import Modality
from automl_kd.tasks.reading import Found, some
from automl_kd.tasks.split import Split

Tokens = Literal["words", "characters"]
PADDING, UNKNOWN, FIRST = 0, 1, 2
"""The ids of what fills a text up and of a token that is not in the vocabulary, and that of its first token."""

_WORD = re.compile(r"[^\W_]+")
_OFTEN_UNKNOWN = 0.2
_CODE = {
    "words": 're.findall(r"[^\\W_]+", example.lower())',
    "characters": "list(example)",
}
_VOCABULARY = "vocabulary.json"
_PREPARE = """\
import json
{imports}
import numpy as np

with open({vocabulary}, encoding="utf-8") as file:
    IDS = {{token: number for number, token in enumerate(json.load(file), start=2)}}


def prepare(example):
    \"\"\"The network's input for one text: 0 fills it up, 1 stands for what is not in the vocabulary.\"\"\"
    row = [IDS.get(token, 1) for token in {tokens}[:{length}]]
    return {{"{name}": np.array([row + [0] * ({length} - len(row))], np.int64)}}
"""
_READING = """\
ENDINGS = (".csv", ".txt")


def examples(argument, column):
    \"\"\"The texts of an argument: itself, lines of a file or of - for standard input, or cells of a .csv file.\"\"\"
    if argument == "-" or os.path.isfile(argument):
        yield from ((text, text) for text in listed(Path(argument), column, ("text",)))
    else:
        yield argument, argument
"""


@dataclass(frozen=True, eq=False)
class Texts(Modality):
    """Texts (N, length), stored and taken by networks as ids, int64: 0 is padding, 1 a token that is not known.

    Attributes:
        length: Tokens of a text that are read, from its beginning; a shorter one is filled up.
        tokens: What a token is: a run of letters and digits in lower case (``words``), or any character.
        vocabulary: The tokens that are known, the most frequent of the training split first; the first has the id 2.
    """

    length: int
    tokens: Tokens
    vocabulary: tuple[str, ...]

    name: ClassVar[str] = "text"
    noun: ClassVar[str] = "text"

    @classmethod
    def fitted(
        cls, splits: Mapping[str, Split], every: tuple[str, ...], length: int, tokens: Tokens, most: int
    ) -> tuple[Texts, dict[str, Split]]:
        """The modality of texts that are split, and the texts as ids of its vocabulary, which is that of ``train``.

        Args:
            splits: Texts as ids of ``every``, the first of which is 2.
            every: All tokens that there are, in their own order, so that equally frequent ones keep it.
            length: Tokens of a text that are read.
            tokens: What a token is.
            most: The size of the vocabulary.
        """
        counts = splits["train"].tensor.flatten().bincount(minlength=len(every) + FIRST)[FIRST:].numpy()
        frequent = np.argsort(-counts, kind="stable")[:most]
        frequent = frequent[counts[frequent] > 0]
        ids = torch.full((len(every) + FIRST,), UNKNOWN)
        ids[PADDING] = PADDING
        ids[torch.from_numpy(frequent) + FIRST] = torch.arange(len(frequent)) + FIRST
        texts = cls(length, tokens, tuple(every[number] for number in frequent))
        return texts, {name: replace(split, inputs=ids[split.tensor]) for name, split in splits.items()}

    @property
    def input(self) -> Input:
        return Input("ids", (self.length,), TEXT_AXES, "int64", ids=len(self.vocabulary) + FIRST)

    def prepare(self, stored: Tensor) -> Tensor:
        return stored

    def identity(self) -> dict[str, Any]:
        return {"modality": {"type": self.name, "tokens": self.tokens, "vocabulary": self.vocabulary}}

    def preprocessing(self) -> dict[str, object]:
        return {
            "layout": "NL",
            "shape": [self.length],
            "tokens": self.tokens,
            "text": "runs of letters and digits in lower case" if self.tokens == "words" else "every character",
            "length": self.length,
            "padding": PADDING,
            "unknown": UNKNOWN,
            "first": FIRST,
            "vocabulary": _VOCABULARY,
            "vocabulary_size": len(self.vocabulary),
        }

    def code(self, name: str, folder: str | None = None) -> str:
        return _PREPARE.format(
            imports="import re\n" if self.tokens == "words" else "",
            vocabulary=f'"{_VOCABULARY}"' if folder is None else f'{folder} / "{_VOCABULARY}"',
            tokens=_CODE[self.tokens],
            length=self.length,
            name=name,
        )

    def reading(self) -> str:
        return _READING

    def files(self) -> dict[str, str]:
        return {_VOCABULARY: json.dumps(self.vocabulary, ensure_ascii=False)}

    def told(self, splits: Mapping[str, Split], found: Found) -> tuple[str, ...]:
        unknown = ", ".join(
            f"{percent(_unknown(split))} in {name}" for name, split in splits.items() if name != "train"
        )
        return (
            f"tokens are {self.tokens}, of each text the first {self.length}; the vocabulary has"
            f" {whole(len(self.vocabulary))} of the training split, unknown are {unknown}",
        )

    def odd(
        self, splits: Mapping[str, Split], groups: Mapping[str, NDArray[np.bool_]], found: Found
    ) -> tuple[str, ...]:
        often = [name for name, split in splits.items() if _unknown(split) > _OFTEN_UNKNOWN]
        empty = [(name, int(row)) for name, split in splits.items() for row in (split.tensor == 0).all(1).nonzero()]
        lines = []
        if often:
            lines.append(
                f"more than {_OFTEN_UNKNOWN:.0%} of the {self.tokens} of {some(often)} are not in the vocabulary of the"
                " training split: more training texts, a larger data.vocabulary or data.tokens: characters would help"
            )
        if empty:
            example = splits[empty[0][0]].name(empty[0][1])
            lines.append(f"{counted(len(empty), 'text')} without any {self.tokens}, such as {example}: leave them out")
        return tuple(lines)

    def refusal(self, train: Split, found: Found) -> str | None:
        if not bool((train.tensor == train.tensor[0]).all()):
            return None
        return f"all {len(train)} training texts are the same, so nothing can be learned from them"


def numbered(texts: Iterable[str], tokens: Tokens, length: int) -> tuple[Tensor, tuple[str, ...], NDArray[np.int64]]:
    """Texts as ids of all their tokens.

    Args:
        texts: N of them.
        tokens: What a token is.
        length: Tokens of a text that are read.

    Returns:
        Ids (N, length), int64; the tokens in the order of the alphabet, the first of which has the id 2; and how many
        tokens each text has, (N,).
    """
    split = [_WORD.findall(text.lower()) if tokens == "words" else list(text) for text in texts]
    every = tuple(sorted({token for text in split for token in text[:length]}))
    ids = {token: number for number, token in enumerate(every, start=FIRST)}
    rows = torch.zeros(len(split), length, dtype=torch.int64)
    for row, text in zip(rows, split, strict=True):
        read = [ids[token] for token in text[:length]]
        row[: len(read)] = torch.tensor(read, dtype=torch.int64)
    return rows, every, np.array([len(text) for text in split], np.int64)


def _unknown(split: Split) -> float:
    return float((split.tensor == UNKNOWN).sum()) / max(1, int((split.tensor != PADDING).sum()))


MODALITIES.add("text", Texts)
