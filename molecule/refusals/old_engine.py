"""Answers every request like an engine whose newest API is 1.39; no package of so old a Docker exists any more."""

from __future__ import annotations

import json
import socketserver
from http.server import BaseHTTPRequestHandler

VERSION = {"Version": "18.09.9", "ApiVersion": "1.39", "MinAPIVersion": "1.12", "Os": "linux"}


class OldEngine(BaseHTTPRequestHandler):
    """One answer for all."""

    def do_GET(self) -> None:
        body = json.dumps(VERSION).encode()
        self.send_response(200)
        self.send_header("Api-Version", VERSION["ApiVersion"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """There is no address on a unix socket."""
        return "client"


socketserver.UnixStreamServer("/run/old-docker.sock", OldEngine).serve_forever()
