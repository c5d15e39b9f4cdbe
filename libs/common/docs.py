"""The page /docs: the service's OpenAPI document to read and to try, from files of its own."""

from collections.abc import Mapping
from importlib import resources

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response

# The package brings the files of Swagger UI (Apache-2.0); its pages are not used, since their script stands inline.
_PACKAGE = "fastapi_offline"
_FILES: Mapping[str, str] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
_START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="reference"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Swagger UI writes styles into elements, and its pictures are data URLs; everything else is this service's own.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
_CACHED = {**_HEADERS, "Cache-Control": "public, max-age=3600"}


def add_docs(app: FastAPI) -> None:
    """Serve GET /docs and the files of its page."""

    @app.get("/docs", include_in_schema=False)
    async def page() -> Response:
        return Response(_PAGE.format(title=app.title), headers=_HEADERS, media_type="text/html")

    @app.get("/docs/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(_START, headers=_CACHED, media_type="text/javascript")

    for name, media_type in _FILES.items():
        _add_file(app, name, media_type)


def _add_file(app: FastAPI, name: str, media_type: str) -> None:
    file = str(resources.files(_PACKAGE) / "static" / name)

    @app.get(f"/docs/{name}", include_in_schema=False)
    async def read() -> Response:
        return FileResponse(file, headers=_CACHED, media_type=media_type)
