"""The JSON Schema of the JSON report, made from its shape."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from preflight.report.shape import ReportShape


def preflight_schema() -> dict[str, Any]:
    """The schema of `sitewright preflight --format json`, draft 2020-12."""
    schema = TypeAdapter(ReportShape).json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sitewright.preflight/1",
        **{key: value for key, value in schema.items() if key != "title"},
    }
