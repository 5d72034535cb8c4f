"""The page ``/api/docs``: the endpoints as the OpenAPI schema has them, from this server alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem"
    " .2rem 0}pre{overflow:auto;padding:.8rem;background:#8881}"
)


def reference(app: FastAPI) -> None:
    """Add the page to an application."""

    @app.get("/api/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse("\n".join(_page(app.openapi())))


def _page(schema: dict[str, Any]) -> Iterator[str]:
    about = schema["info"]
    yield '<!doctype html><html lang="en"><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{escape(about['title'])}: HTTP</title><style>{_STYLE}</style>"
    yield f"<h1>{escape(about['title'])}: HTTP</h1><p>{escape(about['description'])}</p>"
    yield '<p>As OpenAPI: <a href="openapi.json">openapi.json</a></p>'
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"<h2>{method.upper()} {escape(path)}</h2>"
            yield f"<p>{escape(operation['description'])}</p>"
            yield from _body(operation)
    yield "<h1>Objects</h1>"
    for name, model in schema["components"]["schemas"].items():
        if "Validation" not in name:  # errors are {"error": "…"}, which the text says
            yield from _model(name, model)
    yield "<h2>Errors</h2><p>Every error has a status from 400 on and one sentence: "
    yield "<code>{&quot;error&quot;: &quot;…&quot;}</code></p></html>"


def _body(operation: dict[str, Any]) -> Iterator[str]:
    body = operation.get("requestBody")
    if body:
        yield f"<p>Takes: {_type(body['content']['application/json']['schema'])}</p>"
    answer = operation["responses"]["200"]["content"].get("application/json")
    if answer and answer["schema"]:
        yield f"<p>Returns: {_type(answer['schema'])}</p>"


def _model(name: str, model: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{escape(name)}">{escape(name)}</h2>'
    yield f"<p>{escape(model.get('description', ''))}</p><table>"
    for field, of in model.get("properties", {}).items():
        needed = "" if field in model.get("required", ()) else " (optional)"
        yield f"<tr><th>{escape(field)}</th><td>{_type(of)}{needed}</td>"
        yield f"<td>{escape(of.get('description', ''))}</td></tr>"
    yield "</table>"
    if "example" in model:
        text = json.dumps(model["example"], ensure_ascii=False, indent=2)
        yield f"<pre>{escape(text)}</pre>"


def _type(of: dict[str, Any]) -> str:
    """Return a type of the schema as HTML, with a link to an object's fields."""
    if "$ref" in of:
        name = escape(of["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in of:
        return " or ".join(_type(one) for one in of["anyOf"])
    if "enum" in of:
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in of["enum"])
    if of.get("type") == "array":
        return f"list of {_type(of.get('items', {}))}"
    return escape(str(of.get("type", "any")))
