"""What the schema at /openapi.json says of requests and refusals."""

from __future__ import annotations

from typing import Any

from humanseg.serving.problem_details import MEDIA_TYPE, PROBLEMS, Problem
from humanseg.serving.segment_options import option_schemas

_BINARY = {"type": "string", "format": "binary"}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "string"}},
    },
}
_EXAMPLES = {
    "damaged-picture": "picture: damaged or cut short (image file is truncated).",
    "bad-option": "threshold: got 2; must be at least 0 and at most 1, or null.",
}


def operation(*, many: bool) -> dict[str, Any]:
    """Parameters and body of a route for one picture or `many`."""
    options = option_schemas()
    image: dict[str, Any] = {"type": "array", "items": _BINARY} if many else _BINARY
    form = {
        "schema": {
            "type": "object",
            "required": ["image"],
            "properties": {"image": image, **options},
        }
    }
    content: dict[str, Any] = {"multipart/form-data": form}
    if not many:
        raw = {kind: {"schema": _BINARY} for kind in ("image/*", "application/octet-stream")}
        content = {**raw, **content}
    parameters = [
        {"name": name, "in": "query", "schema": schema, "description": schema["description"]}
        for name, schema in options.items()
    ]
    parameters[0]["examples"] = {
        "mask": {"value": "mask", "summary": "black and white"},
        "cutout": {"value": "cutout", "summary": "the people on transparency"},
    }
    return {"parameters": parameters, "requestBody": {"required": True, "content": content}}


def refusals(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Answers of a route, by status: of kinds of `PROBLEMS`, and those that any route may give."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in (*kinds, "unknown-host", "token-needed", "large-headers", "internal-error"):
        status, title = PROBLEMS[kind]
        content = {"schema": _PROBLEM, "examples": {}}
        answer = answers.setdefault(status, {"content": {MEDIA_TYPE: content}})
        told = answer.get("description")
        answer["description"] = f"{told}; {title}" if told else title
        example = Problem(kind, _EXAMPLES.get(kind, "In words, what to do.")).document()
        answer["content"][MEDIA_TYPE]["examples"][kind] = {"value": example}
    return answers


SEGMENT_REFUSALS = refusals(
    *("malformed-body", "other-site", "not-acceptable", "slow-body", "too-large"),
    *("unknown-format", "damaged-picture", "bad-option", "busy", "timeout", "stopping"),
)
