# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to Docker: what is asked, and what the user reads when Docker cannot be asked."""

from __future__ import annotations

import io
import socket as sockets
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import api
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import (
    Docker,
    DockerError,
    DockerNotFound,
    negotiate,
)
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_docker import VERSION, FakeDocker


def engine(**changes: Any) -> dict[str, Any]:
    return {**VERSION, **changes}


@pytest.mark.parametrize(
    ("document", "spoken"),
    [
        (engine(), "1.45"),
        (engine(ApiVersion="1.40"), "1.40"),
        (engine(ApiVersion="1.60"), "1.56"),
        (engine(ApiVersion="1.60", MinAPIVersion="1.56"), "1.56"),
        (engine(MinAPIVersion=None), "1.45"),
    ],
)
def test_both_sides_speak_the_newest_api_that_both_know(document, spoken):
    assert negotiate(document, "/run/docker.sock") == spoken


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (engine(ApiVersion="1.39"), "too old: it speaks API 1.39 and 1.40 (Docker 19.03) is needed; update Docker"),
        (engine(ApiVersion="1.9"), "too old: it speaks API 1.9 "),
        (engine(ApiVersion="2.0", MinAPIVersion="1.57"), "too new: it wants API 1.57"),
        (engine(ApiVersion="latest"), "does not say which Docker API it speaks"),
        (engine(ApiVersion=1.45), "does not say which Docker API it speaks"),
        ({}, "does not say which Docker API it speaks"),
        ([], "does not say which Docker API it speaks"),
        (engine(Components=[{"Name": "Podman Engine"}]), "Podman, not Docker, answers on /run/docker.sock"),
    ],
)
def test_an_engine_that_cannot_be_talked_to_is_refused(document, said):
    with pytest.raises(DockerError) as refusal:
        negotiate(document, "/run/docker.sock")
    assert said in str(refusal.value)


def test_a_request_names_the_negotiated_version_and_the_query(tmp_path):
    with FakeDocker(tmp_path / "s", {"GET /version": VERSION, "GET /containers/json": []}) as fake:
        assert Docker(fake.socket).get("/containers/json", all=1) == []
    assert fake.requests == ["GET /version", "GET /v1.45/containers/json?all=1"]


def test_a_name_never_becomes_another_request(tmp_path):
    with FakeDocker(tmp_path / "s", {"GET /version": VERSION}) as fake, pytest.raises(DockerNotFound):
        Docker(fake.socket).inspect("../x?all=1#/y\r\nHost: z")
    assert fake.requests[1:] == ["GET /v1.45/containers/..%2Fx%3Fall%3D1%23%2Fy%0D%0AHost%3A%20z/json"]


def test_the_words_of_the_cutover(tmp_path):
    replies = {
        "GET /version": VERSION,
        "POST /containers/web/stop": (304, None),
        "POST /containers/web/start": (204, None),
        "POST /containers/web/update": {"Warnings": []},
    }
    with FakeDocker(tmp_path / "s", replies) as fake:
        docker = Docker(fake.socket)
        docker.set_restart_policy("web", {"Name": "no", "MaximumRetryCount": 0})
        docker.stop("web", 7)
        docker.start("web")
    assert fake.requests[1:] == [
        "POST /v1.45/containers/web/update",
        "POST /v1.45/containers/web/stop?t=7",
        "POST /v1.45/containers/web/start",
    ]
    assert fake.bodies == [{"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}, None, None]


BUSY = "Cannot update container 12ab: cannot update a stopped container: unknown"


@pytest.mark.parametrize(("said", "tries"), [(BUSY, 3), ("No such container: web", 1)])
def test_a_policy_that_docker_refuses_because_the_container_restarts_is_set_again(tmp_path, said, tries):
    refusals = [(500, {"message": said})] * 2
    replies = {
        "GET /version": VERSION,
        "POST /containers/web/update": lambda _handler: refusals.pop() if refusals else {"Warnings": []},
    }
    with FakeDocker(tmp_path / "s", replies) as fake:
        docker = Docker(fake.socket)
        if tries == 1:
            with pytest.raises(DockerError, match="No such container"):
                docker.set_restart_policy("web", {"Name": "always"})
        else:
            docker.set_restart_policy("web", {"Name": "always"})
    assert len(fake.bodies) == tries


def test_a_policy_that_docker_goes_on_refusing_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(api.time, "sleep", lambda _seconds: None)
    replies = {"GET /version": VERSION, "POST /containers/web/update": (500, {"message": BUSY})}
    with FakeDocker(tmp_path / "s", replies) as fake, pytest.raises(DockerError, match="Cannot update container"):
        Docker(fake.socket).set_restart_policy("web", {"Name": "always"})


def archive(*members):
    """The whole answer to a request for an archive; members: (name, type, contents)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, kind, contents in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(contents), "/etc/shadow" if kind == tarfile.SYMTYPE else ""
            tar.addfile(info, io.BytesIO(contents))
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\n\r\n" + stream.getvalue()


def test_a_file_of_a_container_is_read_byte_for_byte(tmp_path):
    contents = bytes(range(256)) * 40
    replies = {"GET /version": VERSION, "GET /containers/web/archive": archive(("a b", tarfile.REGTYPE, contents))}
    with FakeDocker(tmp_path / "s", replies) as fake:
        assert Docker(fake.socket).read_file("web", "/etc/a b", len(contents)) == contents
    assert fake.requests[1:] == ["GET /v1.45/containers/web/archive?path=%2Fetc%2Fa+b"]


@pytest.mark.parametrize(
    "answer",
    [
        archive(("x", tarfile.SYMTYPE, b"")),
        archive(("x", tarfile.DIRTYPE, b"")),
        archive(("x", tarfile.REGTYPE, b"x" * 101)),
        archive(("x", tarfile.REGTYPE, b"x" * 200000)),
        archive(),
        b"HTTP/1.1 200 OK\r\n\r\nno archive",
    ],
    ids=["a link", "a folder", "too large", "far too large", "empty", "broken"],
)
def test_what_is_no_small_file_is_one_clear_sentence(tmp_path, answer):
    replies = {"GET /version": VERSION, "GET /containers/web/archive": answer}
    with FakeDocker(tmp_path / "s", replies) as fake, pytest.raises(DockerError) as error:
        Docker(fake.socket).read_file("web", "/x", 100)
    assert str(error.value) == "/x of the container web is no file of up to 100 bytes any more; assess again."


def test_waiting_for_a_stop_is_bounded_by_the_grace_of_the_container_and_the_timeout(tmp_path):
    def slowly(_handler):
        time.sleep(0.6)
        return 204, None

    with FakeDocker(tmp_path / "s", {"GET /version": VERSION, "POST /containers/web/stop": slowly}) as fake:
        Docker(fake.socket, timeout=0.3).stop("web", 1)
        with pytest.raises(DockerError, match=r"within 0\.3 s"):
            Docker(fake.socket, timeout=0.3).stop("web", 0)


TRUNCATED = b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"ApiVersion":'
TORN_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"
HTML = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (TRUNCATED, "Docker broke off its answer on {socket}"),
        (TORN_CHUNK, "Docker broke off its answer on {socket}"),
        (b"", "Docker broke off its answer on {socket}"),
        (b"220 mail.example.com ESMTP\r\n", "or what listens there is no Docker Engine"),
        (HTML, "The answer to GET /version on {socket} is not JSON (HTTP 200)"),
        ((500, {"message": "it is on fire"}), "Docker refused GET /version (HTTP 500): it is on fire"),
        ((500, {}), "it gave no reason"),
        (lambda _handler: time.sleep(1), "Docker did not answer on {socket} within 0.2 s"),
    ],
)
def test_a_bad_answer_is_one_clear_sentence(tmp_path, reply, said):
    with FakeDocker(tmp_path / "s", {"GET /version": reply}) as fake, pytest.raises(DockerError) as failure:
        Docker(fake.socket, timeout=0.2).get("/info")
    assert said.format(socket=fake.socket) in str(failure.value)


def closed(path: Path) -> None:
    with sockets.socket(sockets.AF_UNIX) as abandoned:
        abandoned.bind(str(path))


@pytest.mark.parametrize(
    ("prepare", "name", "said"),
    [
        (lambda _path: None, "s", "Docker is not installed here or its socket is elsewhere: {path} does not exist"),
        (lambda path: path.parent.joinpath("f").touch(), "f/s", "its socket is elsewhere"),
        (closed, "s", "Nothing listens on Docker's socket {path}; start Docker"),
        (Path.touch, "s", "Nothing listens on Docker's socket {path}"),
        (lambda _path: None, "s" * 200, "Docker's socket {path} cannot be used"),
    ],
)
def test_a_socket_without_docker_is_one_clear_sentence(tmp_path, prepare, name, said):
    prepare(tmp_path / "s")
    with pytest.raises(DockerError) as failure:
        Docker(str(tmp_path / name)).get("/info")
    assert said.format(path=tmp_path / name) in str(failure.value)


def test_a_docker_that_accepts_nobody_is_waited_for_and_then_named(tmp_path):
    with sockets.socket(sockets.AF_UNIX) as hung, sockets.socket(sockets.AF_UNIX) as first:
        hung.bind(str(tmp_path / "s"))
        hung.listen(0)
        first.connect(str(tmp_path / "s"))
        begin = time.monotonic()
        with pytest.raises(DockerError, match=r"did not answer on .* within 0\.3 s"):
            Docker(str(tmp_path / "s"), timeout=0.3).get("/info")
        assert time.monotonic() - begin >= 0.25


def test_a_user_without_the_right_is_told_to_become_root(tmp_path, monkeypatch):
    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sockets.socket, "connect", refuse)
    with pytest.raises(DockerError, match="run as root"):
        Docker(str(tmp_path / "s")).get("/info")
