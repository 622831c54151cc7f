# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the Docker Engine API over its unix socket (private to the collection)."""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import struct
import tarfile
import time
from contextlib import contextmanager, suppress
from typing import Any, Iterator, NamedTuple, Tuple
from urllib.parse import quote, urlencode

from .._common import deadlines
from .._common.errors import UserError

Version = Tuple[int, int]

# Docker 19.03 speaks 1.40; 1.56 is the newest whose documents were read for the tables of this collection.
OLDEST_API: Version = (1, 40)
NEWEST_API: Version = (1, 56)

_HANDSHAKE_SECONDS = 30
# Before the first byte of an archive of images, Docker writes it to its own disk.
_ENDLESS = 86400.0
_EXPORT_SECONDS = 3600
_CHUNK = 1024 * 1024
_ARCHIVE_OVERHEAD = 64 * 1024
_CANNOT_UPDATE = "Cannot update container"
# Seconds. Docker waits 100 ms before it starts a container again, and twice as long each time.
_BETWEEN_UPDATES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\Z")


class DockerError(UserError):
    """Docker cannot be asked, or refused. The message says what happened and what to do."""


class DockerNotFound(DockerError):
    """Docker does not know the object that was asked for."""


class _Answer(NamedTuple):
    status: int
    body: bytes


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("docker")
        self._path = path
        self._seconds = seconds

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # With settimeout() a full queue of the listener is an error at once; the kernel's own timeout waits for room.
        whole = int(self._seconds)
        wait = struct.pack("ll", whole, int((self._seconds - whole) * 1000000))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        self.sock.connect(self._path)
        self.sock.settimeout(self._seconds)


class Docker:
    """One Docker Engine. Every request has a connection of its own, so threads may share an instance.

    ``timeout`` is in seconds and bounds each wait for Docker, not a whole request.
    """

    def __init__(self, socket_path: str = "/run/docker.sock", timeout: float = 60) -> None:
        self.socket_path = socket_path
        self.timeout = timeout
        self._version: dict[str, Any] = {}
        self._api_version = ""

    @property
    def version(self) -> dict[str, Any]:
        """The document of GET /version; the first use settles whether and how to talk to this engine."""
        if not self._version:
            # A hung Docker should be noticed soon; dockerd runs programs to answer this, so not too soon.
            answer = self._request("GET", "/version", None, min(self.timeout, _HANDSHAKE_SECONDS))
            document = self._decode("GET", "/version", answer)
            self._api_version = negotiate(document, self.socket_path)
            self._version = document
        return self._version

    @property
    def api_version(self) -> str:
        """The negotiated version of the API, for example ``1.45``."""
        return self._api_version if self.version else ""

    def get(self, path: str, timeout: float | None = None, **query: Any) -> Any:
        """The JSON at ``path`` (begins with a slash, parts quoted with ``part``)."""
        return self._call("GET", path, None, self.timeout if timeout is None else timeout, query)

    def post(self, path: str, body: Any = None, timeout: float | None = None, **query: Any) -> Any:
        """Post ``body`` as JSON; returns the JSON of the answer, None when it has none."""
        return self._call("POST", path, body, self.timeout if timeout is None else timeout, query)

    def download(self, path: str, **query: Any) -> Iterator[bytes]:
        """The bytes at ``path`` in chunks, for what does not fit into memory."""
        with self._open("GET", self._target(path, query), None, _EXPORT_SECONDS) as response:
            if response.status != 200:
                self._decode("GET", path, _Answer(response.status, response.read()))
            yield from iter(lambda: response.read(_CHUNK), b"")

    def inspect(self, container: str) -> dict[str, Any]:
        """The inspect document of a container, by ID or name."""
        document = self.get("/containers/{0}/json".format(part(container)))
        return document if isinstance(document, dict) else {}

    def read_file(self, container: str, path: str, largest: int) -> bytes:
        """A file as the container sees it, running or not. DockerError for what is none, or has more bytes than ``largest``."""
        place = "/containers/{0}/archive?{1}".format(part(container), urlencode({"path": path}))
        parts, size = [], 0
        for chunk in self.download(place):
            parts.append(chunk)
            size += len(chunk)
            # Beside the file there are its headers, and padding up to the size of a record.
            if size > largest + _ARCHIVE_OVERHEAD:
                break
        with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(b"".join(parts)), mode="r:") as archive:
            # Not next(): asked again about an empty archive, Python 3.8 seeks to before its beginning.
            entry = next(iter(archive), None)
            if entry and entry.isreg() and entry.size <= largest:
                stream = archive.extractfile(entry)
                return stream.read() if stream else b""
        raise DockerError(
            "{0} of the container {1} is no file of up to {2} bytes any more; assess again.".format(
                path, container, largest
            )
        )

    def stop(self, container: str, timeout: int) -> None:
        """Send the stop signal and, after ``timeout`` seconds of grace, SIGKILL. A stopped container is left alone."""
        path = "/containers/{0}/stop".format(part(container))
        # A negative one waits for as long as it takes.
        self.post(path, timeout=(timeout if timeout >= 0 else _ENDLESS) + self.timeout, t=timeout)

    def start(self, container: str) -> None:
        """Start a container. A running one is left alone."""
        self.post("/containers/{0}/start".format(part(container)))

    def set_restart_policy(self, container: str, policy: dict[str, Any]) -> None:
        """``policy``: ``{"Name": "no|always|unless-stopped|on-failure", "MaximumRetryCount": 0}``.

        Docker tells the processes of a container as well, and refuses when they just end or begin ("cannot update a
        stopped container", "container not running", and others; tried on 26.1 and 28.5): then it is asked again.
        """
        place = "/containers/{0}/update".format(part(container))
        for pause in _BETWEEN_UPDATES:
            try:
                self.post(place, {"RestartPolicy": policy})
                return
            except DockerError as error:
                if _CANNOT_UPDATE not in str(error):
                    raise
            time.sleep(pause)
        self.post(place, {"RestartPolicy": policy})

    def _call(self, method: str, path: str, body: Any, timeout: float, query: dict[str, Any]) -> Any:
        return self._decode(method, path, self._request(method, self._target(path, query), body, timeout))

    def _target(self, path: str, query: dict[str, Any]) -> str:
        return "/v{0}{1}{2}".format(self.api_version, path, "?" + urlencode(query, doseq=True) if query else "")

    def _request(self, method: str, target: str, body: Any, timeout: float) -> _Answer:
        with self._open(method, target, body, timeout) as response:
            return _Answer(response.status, response.read())

    @contextmanager
    def _open(self, method: str, target: str, body: Any, timeout: float) -> Iterator[http.client.HTTPResponse]:
        """The answer to a request, to be read inside; what breaks off meanwhile is a DockerError."""
        timeout = deadlines.capped(timeout)
        connection = _UnixConnection(self.socket_path, timeout)
        payload = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, target, payload, {"Content-Type": "application/json"} if payload else {})
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(_unreachable(error, self.socket_path, timeout)) from None
        finally:
            connection.close()

    def _decode(self, method: str, path: str, answer: _Answer) -> Any:
        # 304: the container is already in the state asked for.
        if answer.status in (204, 304):
            return None
        try:
            document = json.loads(answer.body.decode("utf-8"))
        except ValueError:
            raise DockerError(
                "The answer to {0} {1} on {2} is not JSON (HTTP {3}), so this is no Docker Engine or it is broken; "
                "check what listens there, or set the socket.".format(method, path, self.socket_path, answer.status)
            ) from None
        if 200 <= answer.status < 300:
            return document
        message = document.get("message") if isinstance(document, dict) else None
        refused = DockerNotFound if answer.status == 404 else DockerError
        raise refused(
            "Docker refused {0} {1} (HTTP {2}): {3}".format(method, path, answer.status, message or "it gave no reason")
        )


def process_of(document: dict[str, Any]) -> int:
    """The first process of a container, from its inspect document (Docker's or Podman's); 0 when it does not run."""
    return int(document["State"].get("Pid") or 0)


def health_of(document: dict[str, Any]) -> str:
    """What the health check of a container says, from its inspect document (Docker's or Podman's); "" without one."""
    return str((document["State"].get("Health") or {}).get("Status") or "")


def listed_name(listed: dict[str, Any]) -> str:
    """The name of a container in GET /containers/json; the begin of its ID while it has none."""
    return str((listed.get("Names") or [listed["Id"][:12]])[0]).lstrip("/")


def part(name: str) -> str:
    """One part of a path, quoted, so that a name from a document never becomes another request."""
    return quote(name, safe="")


def negotiate(version: Any, socket_path: str) -> str:
    """The API version to speak with the engine of a GET /version document. DockerError when there is none."""
    known = version if isinstance(version, dict) else {}
    newest, oldest = _parse(known.get("ApiVersion")), _parse(known.get("MinAPIVersion")) or OLDEST_API
    if newest is None:
        raise DockerError(
            "What answers on {0} does not say which Docker API it speaks, so it is no Docker Engine; "
            "set the socket to Docker's.".format(socket_path)
        )
    components = known.get("Components")
    names = [item.get("Name") for item in components if isinstance(item, dict)] if isinstance(components, list) else []
    if "Podman Engine" in names:
        raise DockerError("Podman, not Docker, answers on {0}; set the socket to Docker's.".format(socket_path))
    if newest < OLDEST_API:
        raise DockerError(
            "The Docker Engine on {0} is too old: it speaks API {1} and {2} (Docker 19.03) is needed; "
            "update Docker first.".format(socket_path, _text(newest), _text(OLDEST_API))
        )
    if oldest > NEWEST_API:
        raise DockerError(
            "The Docker Engine on {0} is too new: it wants API {1} and this collection knows up to {2}; "
            "update the collection.".format(socket_path, _text(oldest), _text(NEWEST_API))
        )
    return _text(min(newest, NEWEST_API))


def _parse(text: Any) -> Version | None:
    found = _VERSION.match(text) if isinstance(text, str) else None
    return (int(found.group(1)), int(found.group(2))) if found else None


def _text(version: Version) -> str:
    return "{0}.{1}".format(*version)


def _unreachable(error: Exception, path: str, timeout: float) -> str:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return (
            "Docker is not installed here or its socket is elsewhere: {0} does not exist; "
            "install and start Docker, or set the socket.".format(path)
        )
    if isinstance(error, PermissionError):
        return "No permission to use Docker's socket {0}; run as root (become).".format(path)
    if isinstance(error, ConnectionRefusedError):
        return "Nothing listens on Docker's socket {0}; start Docker, or set the socket.".format(path)
    # socket.timeout became TimeoutError in Python 3.10; connect() says EAGAIN.
    if isinstance(error, (socket.timeout, TimeoutError, BlockingIOError)):
        return (
            "Docker did not answer on {0} within {1:g} s; see what it does (journalctl -u docker), "
            "then run this again.".format(path, timeout)
        )
    if isinstance(error, (http.client.HTTPException, ConnectionError)):
        return (
            "Docker broke off its answer on {0}, or what listens there is no Docker Engine ({1}); "
            "see its log (journalctl -u docker), then run this again.".format(path, type(error).__name__)
        )
    return "Docker's socket {0} cannot be used: {1}.".format(path, error)
