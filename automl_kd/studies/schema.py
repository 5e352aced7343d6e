"""JSON schemas of what a search takes and says; ``python -m automl_kd.studies.schema docs/schema`` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from automl_kd.results import Comparison, Repriced, StudyResult, StudySummary, TrialDetail
from automl_kd.studies.request import SearchRequest


def schemas() -> dict[str, dict[str, Any]]:
    """The schemas by the names of their files: a search's options and result, a study's status, a trial, new prices."""
    found = {
        "search-request.json": SearchRequest.model_json_schema(),
        "search-result.json": StudyResult.model_json_schema(mode="serialization"),
        "comparison.json": Comparison.model_json_schema(mode="serialization"),
        "study-status.json": StudySummary.model_json_schema(mode="serialization"),
        "repriced.json": Repriced.model_json_schema(mode="serialization"),
        "trial-detail.json": TrialDetail.model_json_schema(mode="serialization"),
    }
    return {name: _plain(schema) for name, schema in found.items()}


def write_schemas(folder: Path) -> None:
    """Write each schema to a file of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(schema: Any) -> Any:
    """A schema without titles made from names, and with the first line of each description."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _plain(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    if isinstance(kept.get("description"), str):
        kept["description"] = kept["description"].splitlines()[0]
    return kept


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
