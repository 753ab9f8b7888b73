"""The api of the demo: tells what is on the menu, as JSON."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MENU = ["espresso", "flat white", "cold brew"]


class Api(BaseHTTPRequestHandler):
    """Every path has the same answer; the readiness probe asks for `/healthz`."""

    def do_GET(self) -> None:
        body = json.dumps({"menu": MENU, "pod": os.environ.get("HOSTNAME", "")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if self.path != "/healthz":
            print(f"api: {self.command} {self.path} {code}", flush=True)  # noqa: T201


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    print(f"api: {len(MENU)} drinks on port {port}", flush=True)  # noqa: T201
    ThreadingHTTPServer(("127.0.0.1", port), Api).serve_forever()
