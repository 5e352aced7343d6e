"""A process that looks at pictures for another: a request a line on standard input, an answer a line on the output."""

from __future__ import annotations

import json
import sys
from typing import Any

from automl_kd.pictures.work import perform


def main() -> None:
    """Answer until nobody asks any more."""
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"done": perform(request)}
    except OSError as error:  # of the disk that is written to: what a picture raises is part of an answer
        return {"failed": [error.errno, error.strerror]}


if __name__ == "__main__":
    main()
