"""The dashboard's pages, rendered on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from weft.server.pages import doing, entry, issues, overview, proofs, records
from weft.server.pages.render import STATIC, viewing

if TYPE_CHECKING:
    from weft.server.site import Site


class _Files(StaticFiles):
    """Files are named with their version in the query, so that browsers may keep them."""

    def file_response(self, *args: Any, **more: Any) -> Response:
        response = super().file_response(*args, **more)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def routes(site: Site) -> list[BaseRoute]:
    """All pages, what forms are sent to, and the files they need."""
    pages = (
        ("/", overview.overview),
        ("/issues", issues.listing),
        ("/issues/{id:int}", issues.one),
        ("/conflicts", issues.conflicts),
        ("/approvals", issues.approvals),
        ("/links", records.links),
        ("/links/{id:int}", records.link),
        ("/journal", records.journal),
        ("/runs", records.runs),
        ("/runs/{id}", records.run),
        ("/proofs", proofs.proofs),
        ("/proofs/{id:int}", proofs.proof),
    )
    return [
        *(Route(path, viewing(site, page), methods=["GET"]) for path, page in pages),
        Route("/access", viewing(site, entry.access, role="admin"), methods=["GET"]),
        *entry.routes(site),
        *doing.routes(site),
        Mount("/static", _Files(directory=STATIC), name="static"),
    ]
