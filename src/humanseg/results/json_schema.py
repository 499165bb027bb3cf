"""The published JSON Schema of results.json.

Written again with `python -m humanseg.results.json_schema > docs/schema/results.schema.json`.
"""

from __future__ import annotations

import json
import sys

from humanseg.results import ComparisonResult


def results_schema() -> str:
    """The schema as indented JSON with a final newline."""
    schema = ComparisonResult.model_json_schema(mode="serialization")
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(results_schema())
