"""The schema of the API: complete, true to what the server does, and the documentation with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.config import SchemathesisConfig
from starlette.testclient import TestClient
from tests.builders.segmenters import BrightIsPerson

from humanseg.annotations.label_output import OutputHolder
from humanseg.config.section import owners
from humanseg.serving.application import create_app
from humanseg.serving.problem_details import PROBLEMS
from humanseg.serving.server_config import ServeConfig

DOCS = Path(__file__).parents[2] / "docs" / "serving.md"
REFUSALS = [str(status) for status in sorted({status for status, _ in PROBLEMS.values()})]


@pytest.fixture(scope="module")
def api() -> Any:  # noqa: ANN401  schemathesis names no public type
    """The API as schemathesis sees it; what is no picture is refused, whatever the schema says."""
    checks = {
        "positive_data_acceptance": {"expected-statuses": ["2xx", *REFUSALS]},
        "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]},
    }
    app = create_app(BrightIsPerson(), ServeConfig(allowed_hosts=("testserver",)), workers=1)
    return schemathesis.openapi.from_asgi(
        "/openapi.json", app, config=SchemathesisConfig.from_dict({"checks": checks})
    )


POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        *(
            (f"POST /v1/{path}", mode)
            for path in ("segment", "segment/batch")
            for mode in (POSITIVE, NEGATIVE)
        ),
        *((f"GET /{path}", POSITIVE) for path in ("v1/models", "healthz", "readyz", "metrics")),
    ],
)
@pytest.mark.fault
def test_api__does_what_the_schema_says(api: Any, label: str, mode: Any) -> None:  # noqa: ANN401
    operations = {result.ok().label: result.ok() for result in api.get_all_operations()}
    assert len(operations) == 6

    @given(case=operations[label].as_strategy(generation_mode=mode))
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate()

    check()


def test_schema__names_every_option_and_refusal(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/segment", "/v1/segment/batch"):
        operation = paths[path]["post"]
        options = {parameter["name"] for parameter in operation["parameters"]}
        assert options == {
            *owners(OutputHolder.model_fields["effect"]),
            *("format", "quality", "keep_metadata"),
        }
        assert all(parameter["description"] for parameter in operation["parameters"])
        assert set(operation["responses"]) == {"200", *REFUSALS} - {"404", "405", "499"}


def test_documentation__lists_every_refusal_with_its_status() -> None:
    rows = re.findall(r"^\| `([a-z]+[a-z-]*)` \| (\d+) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == {kind: str(status) for kind, (status, _) in PROBLEMS.items()}


def test_documentation__lists_every_limit_with_its_default() -> None:
    text = DOCS.read_text("utf-8")
    limits = [name for name in ServeConfig.model_fields if name.startswith("max_")]
    for name in (*limits, "queue", "read_seconds", "answer_seconds", "drain_seconds"):
        assert f"`--{name.replace('_', '-')}`" in text, name
