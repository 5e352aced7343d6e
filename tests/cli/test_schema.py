"""The JSON that users read: as its schemas say, and with every field that version 0.1 had."""

import json

import jsonschema
import pytest

from automl_kd.results import StudyResult, StudySummary
from automl_kd.studies.schema import schemas

OF_0_1 = {
    "": "study task hw space state teacher understood screened trials front picks undistilled seconds between_ms",
    "teacher": "accuracy validation_accuracy sha256",
    "trials": "complete pruned failed running",
    "front": "trial epochs accuracy latency_ms latency_low latency_high params memory_bytes coverage recipe",
    "picks": "trial role round arm hears_teacher origin seeds epochs missing plain_kd_setting path recipe"
    " test_accuracy test_accuracy_std test_accuracy_deployed searched no_distillation plain_kd"
    " gain_over_searched gain_over_no_distillation gain_over_plain_kd"
    " latency_ms latency_low latency_high measured_ms measured_inside onnx_max_difference",
    "seconds": "budget total prepare teacher search picks",
}
OF_0_1_STATUS = {
    "": "seed limits complete stopped failures history",
    "limits": "max_latency_ms max_params max_memory_bytes",
    "complete": OF_0_1["front"],
    "stopped": "trial epochs accuracy latency_ms params",
    "history": "trial seconds accuracy latency_ms state",
}


def missing(document, fields):
    """Fields that a document lacks, by their place; of a list every entry counts."""
    lacking = []
    for place, names in fields.items():
        parts = document if place == "" else document[place]
        for part in parts if isinstance(parts, list) else [parts]:
            lacking += [f"{place}.{name}" for name in names.split() if name not in part]
    return lacking


@pytest.mark.parametrize("name", schemas())
def test_the_schemas_in_the_docs_are_those_of_the_code(root, name):
    kept = json.loads((root / "docs" / "schema" / name).read_text(encoding="utf-8"))
    assert kept == schemas()[name], "make schema"
    jsonschema.Draft202012Validator.check_schema(kept)


def test_a_search_and_its_status_are_as_their_schemas_say_and_have_what_0_1_had(run, searched):
    found = searched.document
    status = run("status", "--study", "cam", "--storage", searched.folder / "automl-kd.db", "--json").document
    jsonschema.validate(found, schemas()["search-result.json"])
    jsonschema.validate(status, schemas()["study-status.json"])
    assert found["front"]
    assert found["picks"]
    assert missing(found, OF_0_1) == []
    assert missing(status, OF_0_1 | OF_0_1_STATUS) == []
    assert StudyResult.model_validate(found).model_dump(mode="json") == found
    assert StudySummary.model_validate(status).front == StudyResult.model_validate(found).front


def test_what_is_called_accuracy_is_absent_where_the_problem_has_none(entry, picked, result):
    trial = entry(3, rmse=0.4, r2=float("nan"))
    document = result([trial], [picked(trial, rmse=0.5)]).model_dump(mode="json")
    jsonschema.validate(document, schemas()["search-result.json"])
    assert document["front"][0]["metrics"] == {"rmse": 0.4}, "what is not defined is left out"
    named = {key for part in (*document["front"], *document["picks"]) for key in part if "accuracy" in key}
    assert named == set()


def test_a_wrong_request_is_not_as_its_schema_says():
    schema = schemas()["search-request.json"]
    jsonschema.validate({"hw": "jetson-nano", "budget": "3m", "pins": ["a=1"]}, schema)
    for wrong in (
        {"hw": "jetson-nano"},
        {"hw": "x", "budget": 1, "fidelity": "half"},
        {"hw": "x", "budget": 1, "y": 2},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
