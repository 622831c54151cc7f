# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HTTP server on a unix socket that answers like a Docker Engine 26.1, and documents like its own."""

from __future__ import annotations

import copy
import json
import re
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ENGINE_ID = "5bf90e3a-7d08-4890-aaf0-a74b1d4112b5"
VERSION = {
    "Platform": {"Name": ""},
    "Components": [{"Name": "Engine", "Version": "26.1.5+dfsg1", "Details": {"ApiVersion": "1.45"}}],
    "Version": "26.1.5+dfsg1",
    "ApiVersion": "1.45",
    "MinAPIVersion": "1.24",
    "Os": "linux",
}
INFO = {
    "ID": ENGINE_ID,
    "ServerVersion": "26.1.5+dfsg1",
    "DockerRootDir": "/var/lib/docker",
    "Driver": "overlay2",
    "NFd": 43,
    "NGoroutines": 64,
    "SystemTime": "2026-11-21T20:44:40.032107671Z",
    "HttpProxy": "",
}
IMAGE = {"Id": "sha256:" + "1e" * 32, "RepoTags": ["app:3"], "RootFS": {"Type": "layers", "Layers": []}}
NETWORK = {
    "Name": "net1",
    "Id": "ef" * 32,
    "Driver": "bridge",
    "IPAM": {"Driver": "default", "Options": {}, "Config": [{"Subnet": "172.30.0.0/24"}]},
    "Containers": {},
}
VOLUME = {
    "Name": "vol1",
    "Driver": "local",
    "Labels": {"l": "1"},
    "Mountpoint": "/var/lib/docker/volumes/vol1/_data",
    "Options": None,
    "Scope": "local",
}


def container(name: str, number: int, **state: Any) -> dict[str, Any]:
    """An inspect document; the ID is made of ``number``."""
    return {
        "Id": "{0:064x}".format(number),
        "Name": "/" + name,
        "State": {"Status": "exited", "Running": False, "Pid": 0, "StartedAt": "2026-11-21T20:44:39Z", **state},
        "Image": IMAGE["Id"],
        "RestartCount": 0,
        "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}, "NetworkMode": "net1"},
        "GraphDriver": {"Name": "overlay2", "Data": None},
        "SizeRw": 12,
        "SizeRootFs": 327626175,
        "Mounts": [{"Type": "volume", "Name": "vol1", "Source": VOLUME["Mountpoint"], "Destination": "/data"}],
        "Config": {"Image": "app:3", "Env": ["PASSWORD=correct horse"], "Labels": {}},
        "NetworkSettings": {"SandboxID": "", "Networks": {"net1": {"NetworkID": NETWORK["Id"], "IPAddress": ""}}},
    }


def answers(*containers: dict[str, Any]) -> dict[str, Any]:
    """What the engine answers when it runs these containers: ``{"GET path": document}``, without the API version."""
    found: dict[str, Any] = {
        "GET /version": VERSION,
        "GET /info": INFO,
        "GET /containers/json": [{"Id": item["Id"]} for item in containers],
        "GET /images/{0}/json".format(IMAGE["Id"]): IMAGE,
        "GET /images/app:3/json": IMAGE,
        "GET /networks": [{"Id": NETWORK["Id"]}],
        "GET /networks/{0}".format(NETWORK["Id"]): NETWORK,
        "GET /volumes": {"Volumes": [VOLUME], "Warnings": None},
    }
    found.update({"GET /containers/{0}/json".format(item["Id"]): item for item in containers})
    return copy.deepcopy(found)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, _request: Any, _address: Any) -> None:
        """A client that went away, which is what some tests are about."""


class FakeDocker:
    """Answers ``replies``: a document, ``(status, document)``, raw ``bytes`` for the whole answer, or a function of
    the handler that returns one of these. What is not among them is Docker's own 404."""

    def __init__(self, socket: Path, replies: dict[str, Any]) -> None:
        self.socket = str(socket)
        self.replies = replies
        self.requests: list[str] = []
        self.bodies: list[Any] = []

        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake.answer(self)

            def do_POST(self) -> None:
                fake.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null"))
                fake.answer(self)

            def address_string(self) -> str:
                return "client"

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = _Server(self.socket, Handler)

    def __enter__(self) -> FakeDocker:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        Path(self.socket).unlink()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append("{0} {1}".format(handler.command, handler.path))
        path = unquote(urlsplit(re.sub(r"^/v1\.\d+", "", handler.path)).path)
        missing = (404, {"message": "No such object: " + path})
        reply = self.replies.get("{0} {1}".format(handler.command, path), missing)
        reply = reply(handler) if callable(reply) else reply
        if isinstance(reply, bytes):
            handler.wfile.write(reply)
            handler.close_connection = True
            return
        status, document = reply if isinstance(reply, tuple) else (200, reply)
        body = b"" if document is None else json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
