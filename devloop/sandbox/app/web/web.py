"""The web page of the demo: its own greeting, and what api has on the menu."""

import html
import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

GREETING = "Good morning!"
COLOR = "#2b6cb0"

PAGE = Path(__file__).with_name("page.html").read_text("utf-8")
API = os.environ.get("API_URL", "")
POD = os.environ.get("HOSTNAME", "")
# What is on this machine is asked without the proxy that the environment may name.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def menu() -> str:
    """The list of what api has, or why there is none."""
    try:
        with DIRECT.open(API, timeout=2) as answer:
            drinks = json.load(answer)["menu"]
    except (OSError, ValueError, KeyError) as error:
        return f"<p class=missing>api does not answer: {html.escape(str(error))}</p>"
    return "<ul>" + "".join(f"<li>{html.escape(drink)}</li>" for drink in drinks) + "</ul>"


class Web(BaseHTTPRequestHandler):
    """`/healthz` for the readiness probe, and the page for every other path."""

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self.answer("ok")
            return
        page = PAGE.replace("{color}", COLOR).replace("{greeting}", html.escape(GREETING))
        self.answer(page.replace("{menu}", menu()).replace("{pod}", html.escape(POD)))

    def answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if self.path != "/healthz":
            print(f"web: {self.command} {self.path} {code}", flush=True)  # noqa: T201


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    print(f"web: {GREETING} on port {port}", flush=True)  # noqa: T201
    ThreadingHTTPServer(("127.0.0.1", port), Web).serve_forever()
