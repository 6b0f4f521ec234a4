"""The web page at `/`: serves what `hub/dashboard` was built into.

Not here: any data; the page gets its readings as a STOMP client at `/ws`. So these files are the same for everybody
and need no login; the page shows the login form when the hub refuses its CONNECT.

Rules: only the page's own files are routed, never a directory; nothing on the page may come from elsewhere or stand
inline (Content-Security-Policy); what has a hash in its name is kept for ever, the rest is asked for again each time.
"""

from pathlib import Path
from typing import Any, TypeAlias

from tornado.web import StaticFileHandler

from hub.http.endpoints import upgrade_asked, where_to_go
from hub.http.gate import Gate

DIST = Path(__file__).resolve().parent.parent / "dashboard" / "dist"

# Security reference, section 2. `default-src 'self'` covers the WebSocket to the same host (CSP 3, 'self' matching).
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Telemetry Hub</title></head>
<body><h1>The page was not built</h1>
<p>The hub itself runs. In the project's checkout, build its page and reload:</p>
<pre>make dashboard</pre>
<p>Meanwhile any STOMP client can subscribe to <code>/topic/readings/#</code> at <code>/ws</code>.</p>
</body></html>
"""

Route: TypeAlias = tuple[str, type[StaticFileHandler], dict[str, Any]]


def dashboard_routes(gate: Gate, dist: Path = DIST) -> list[Route]:
    """Return the rules for `tornado.web.Application`; they match `/`, `/favicon.svg` and `/assets/<file>` only.

    Args:
        gate: what requests have to pass.
        dist: the folder Vite built into. It may appear or change while the hub runs.
    """
    arguments = {"gate": gate, "path": str(dist)}
    return [
        (r"/()", PageHandler, {**arguments, "default_filename": "index.html"}),
        (r"/(favicon\.svg)", PageHandler, arguments),
        (r"/(assets/[A-Za-z0-9_.-]+)", AssetHandler, arguments),
    ]


class PageHandler(StaticFileHandler):
    """A file whose name stays the same over builds: to be revalidated at each use (ETag, 304)."""

    cache_control = "no-cache"

    def initialize(self, gate: Gate, path: str, default_filename: str | None = None) -> None:  # type: ignore[override]
        super().initialize(path, default_filename)
        self.gate = gate

    def prepare(self) -> None:
        """Refuse what the gate does, as all of the hub's handlers do, and a WebSocket that looks for us at the root."""
        if (refusal := self.gate.refusal(self.request)) is not None:
            self._answer(refusal.status, refusal.text)
        elif upgrade_asked(self.request.headers.get("Upgrade")):
            self._answer(404, where_to_go(self.request.path, self.request.path))

    def _answer(self, status: int, text: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(text)

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.clear_header("Server")

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 - Tornado's signature
        """Set how long the file may be cached; not called for errors, which must not be cached."""
        self.set_header("Cache-Control", self.cache_control)

    async def get(self, path: str, include_body: bool = True) -> None:
        """Serve the file, or say how to get the page when there is none."""
        if path or self._is_built():
            await super().get(path, include_body)
            return
        self.set_status(503)
        self.set_header("Cache-Control", "no-store")
        self.finish(_NOT_BUILT if include_body else None)

    def _is_built(self) -> bool:
        return Path(self.root, "index.html").is_file()

    @classmethod
    def _get_cached_version(cls, abs_path: str) -> str | None:
        """Hash the file anew: Tornado remembers a hash by name, and a page rebuilt meanwhile has the same name."""
        return cls.get_content_version(abs_path)


class AssetHandler(PageHandler):
    """A file with a hash of its content in its name: it never changes, a new build has a new name."""

    cache_control = "public, max-age=31536000, immutable"
