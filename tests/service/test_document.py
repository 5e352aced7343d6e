"""The OpenAPI document: valid, with examples, and kept to by every answer to whatever fits it or does not."""

from contextlib import suppress

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ENDLESS = "/searches/{name}/events"
"""Answered until the listener goes."""
SLOW = ("/searches/plan",)
"""Reads data; its refusals are those of the submission."""


@schemathesis.serializer("application/x-ndjson")
def lines(_, value):
    """As it would be sent by a device."""
    return value if isinstance(value, bytes) else str(value).encode()


def test_the_document_is_one_and_describes_every_address_with_its_refusals(alice):
    document = alice.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    assert document["info"]["title"] == "automl-kd"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert any(status.startswith("2") for status in operation["responses"]), (method, path)
            if path not in ("/healthz", "/readyz"):
                assert {"401", "429"} <= operation["responses"].keys(), (method, path)
    asked = document["paths"]["/searches"]["post"]["requestBody"]["content"]["application/json"]
    examples = {name: each["value"] for name, each in asked["examples"].items()}
    assert {"minutes", "limits", "sent"} <= examples.keys()
    for example in examples.values():
        jsonschema.validate(example, asked["schema"])
    schema = alice.get("/schema").json()
    assert schema["properties"].keys() == asked["schema"]["properties"].keys()
    assert schema["required"] == asked["schema"]["required"] == ["hw", "budget"]
    assert {"bearer"} <= {each.get("scheme") for each in document["components"]["securitySchemes"].values()}


@pytest.fixture(scope="module")
def document(served):
    headers = {"Authorization": f"Bearer {served.tokens['alice']}"}
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json", headers=headers)


@pytest.fixture(scope="module")
def search(served):
    """A search that cases may name."""
    with served.client(served.tokens["alice"]) as client:
        client.post("/searches", json={"task": "digits", "hw": "jetson-nano", "budget": "10m", "study": "known"})
    return "known"


def operations(document):
    return [
        found.ok()
        for found in document.get_all_operations()
        if found.ok().path != ENDLESS and found.ok().path not in SLOW
    ]


def tried(served, operation, search, count, mode):
    """How many cases of an operation were sent; each must be answered as the document says."""
    sent = 0
    headers = {"Authorization": f"Bearer {served.tokens['alice']}"}

    @given(operation.as_strategy(mode))
    @settings(SETTINGS, max_examples=count)
    def ask(case):
        nonlocal sent
        sent += 1
        if "name" in case.path_parameters and sent % 2:
            case.path_parameters["name"] = search
        case.validate_response(case.call(headers=headers, timeout=120), checks=CHECKS)

    with suppress(Unsatisfiable):  # what takes nothing can be asked nothing wrong
        ask()
    return sent


@pytest.mark.parametrize("mode", MODES)
def test_answers_are_as_the_document_says(served, document, search, mode):
    assert sum(tried(served, each, search, 3, mode) for each in operations(document)) > 30


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", MODES)
def test_a_thousand_answers_are_as_the_document_says(served, document, search, mode):
    found = operations(document)
    count = -(-1500 // len(found))
    sent = sum(tried(served, each, search, count, mode) for each in found)
    assert sent >= 1000
