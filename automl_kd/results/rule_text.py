"""How a rule is written: words, numbers with units, comparisons, ``and``, ``or``, ``not`` and parentheses.

rule       = all {"or" all}
all        = condition {"and" condition}
condition  = "not" condition | "(" rule ")" | comparison
comparison = NAME ("<" | "<=" | ">" | ">=" | "==" | "!=") (NUMBER [UNIT] | WORD)
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from automl_kd.core import UserError, units_of
from automl_kd.results.conditions import OPERATORS, PLAIN_NAME, All, Comparison, Condition, Either
from automl_kd.results.quantities import TEXT, Quantity

MOST_CHARACTERS, DEEPEST = 1000, 20
_OPPOSITE = {">=": "<", "<": ">=", "<=": ">", ">": "<=", "==": "!=", "!=": "=="}
_JOINING = ("and", "or", "not")
_TOKEN = re.compile(
    rf"""\s*(?:(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{{1,3}}(?![0-9]))?)
    |(?P<quoted>"[^"]*"|'[^']*')|(?P<word>{PLAIN_NAME.pattern})|(?P<sign>[<>]=?|[=!]=|[()%])|(?P<other>\S))""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parsed(text: str, known: Mapping[str, Quantity]) -> Condition:
    """The condition that a text stands for.

    Args:
        text: As a user writes it.
        known: What may be asked for, by name.

    Raises:
        UserError: If it cannot be read.
    """
    if len(text) > MOST_CHARACTERS:
        raise UserError(f"rule of {len(text):,} characters: write at most {MOST_CHARACTERS:,}")
    return _Reader(text, known).read()


class _Reader:
    """Reads one text from left to right.

    Args:
        text: The rule.
        known: What may be asked for, by name.
    """

    def __init__(self, text: str, known: Mapping[str, Quantity]) -> None:
        self._known = known
        self._tokens = [_token(match) for match in _TOKEN.finditer(text)]
        self._end = _Token("end", "", len(text.rstrip()))
        self._next = 0

    def read(self) -> Condition:
        found = self._either(0, negated=False)
        if (token := self._token).kind != "end":
            self._fail(token, "write and, or, or nothing more")
        return found

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else self._end

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _takes(self, *words: str) -> bool:
        """Whether the next token is one of some words or signs, which is then behind us."""
        token = self._token
        found = token.kind in ("word", "sign") and token.text in words
        self._next += found
        return found

    def _either(self, depth: int, *, negated: bool) -> Condition:
        parts = [self._all(depth, negated=negated)]
        while self._takes("or"):
            parts.append(self._all(depth, negated=negated))
        return _joined(All if negated else Either, parts)

    def _all(self, depth: int, *, negated: bool) -> Condition:
        parts = [self._condition(depth, negated=negated)]
        while self._takes("and"):
            parts.append(self._condition(depth, negated=negated))
        return _joined(Either if negated else All, parts)

    def _condition(self, depth: int, *, negated: bool) -> Condition:
        token = self._token
        if depth > DEEPEST:
            self._fail(token, f"nested deeper than {DEEPEST}; write it with fewer parentheses")
        if self._takes("not"):
            return self._condition(depth + 1, negated=not negated)
        if not self._takes("("):
            return self._comparison(negated=negated)
        inside = self._either(depth + 1, negated=negated)
        if not self._takes(")"):
            self._fail(self._token, f"write and, or, or the ) of the ( at character {token.at + 1}")
        return inside

    def _comparison(self, *, negated: bool) -> Comparison:
        quantity = self._quantity()
        token = self._take()
        if token.kind != "sign" or token.text not in OPERATORS:
            self._fail(token, f"write a comparison behind {quantity.name}: {', '.join(OPERATORS)}")
        if quantity.unit == TEXT and token.text not in ("==", "!="):
            self._fail(token, f"{quantity.name} is a word; compare it with == or !=")
        value = self._word(quantity) if quantity.unit == TEXT else self._number(quantity)
        return Comparison(quantity, _OPPOSITE[token.text] if negated else token.text, value)

    def _quantity(self) -> Quantity:
        token = self._take()
        if token.kind not in ("word", "quoted") or token.text in _JOINING:
            self._fail(token, f"write a name first, such as score; there are {', '.join(self._known)}")
        name = _bare(token)
        if name not in self._known:
            near = difflib.get_close_matches(name, self._known, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            self._fail(token, f"unknown name{hint}{'' if hint else ';'} there are {', '.join(self._known)}")
        return self._known[name]

    def _word(self, quantity: Quantity) -> str:
        token = self._take()
        if token.kind not in ("word", "quoted") or (token.kind == "word" and token.text in _JOINING):
            self._fail(token, f"write the {quantity.name} that is meant, such as {quantity.name} == {_like(quantity)}")
        return _bare(token)

    def _number(self, quantity: Quantity) -> float:
        number = self._take()
        if number.kind != "number":
            self._fail(number, f"write a number, such as {quantity.name} >= {_like(quantity)}")
        unit, known = "", units_of(quantity.unit)
        follower = self._token
        if follower.text == "%" or (follower.kind == "word" and follower.text not in _JOINING):
            unit = self._take().text.lower()
            if unit not in known:
                units = ", ".join(each for each in known if each)
                self._fail(follower, f"neither a unit of {quantity.name} ({units}) nor and, or")
        value = float(number.text)
        if math.isfinite(value):
            value = float(Decimal(number.text) * Decimal(repr(known[unit])))  # 95 % is 0.95 to the last bit
        if not math.isfinite(value):
            self._fail(number, "too large a number")
        if quantity.unit == "%" and value > 1:
            shown = f"{number.text}%" if float(number.text) <= 100 else "95%"
            self._fail(number, f"{quantity.name} is a share of at most 1; write 0.95, or {shown} for per cent")
        return value

    def _fail(self, token: _Token, what: str) -> NoReturn:
        where = "at its end" if token.kind == "end" else f"at character {token.at + 1}, {_excerpt(token.text)}"
        raise UserError(f"rule, {where}: {what}")


def _token(match: re.Match[str]) -> _Token:
    kind = str(match.lastgroup)
    return _Token(kind, match[kind], match.start(kind))


def _joined(kind: type[All] | type[Either], parts: list[Condition]) -> Condition:
    """Parts as one condition, those of the same kind side by side."""
    flat = [one for each in parts for one in (each.parts if isinstance(each, kind) else (each,))]
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _bare(token: _Token) -> str:
    return token.text[1:-1] if token.kind == "quoted" else token.text


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _like(quantity: Quantity) -> str:
    """A value of a quantity as a user could write it."""
    words = {"form": "int8", "family": "resnet"}
    examples = {"%": "0.95", "ms": "3ms", "bytes": "512KB", "mJ": "5mJ", "count": "9", TEXT: words.get(quantity.name)}
    return examples.get(quantity.unit) or "0.3"
