# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact copies of trees with the real rsync."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import (
    CommandError,
    Completed,
    run,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import rsync
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import (
    TreeError,
    copy,
    moved_on,
    require_inside,
)

needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
ROOT = os.geteuid() == 0


@pytest.fixture
def source(tmp_path):
    """A tree with what file systems can hold and applications leave behind; as root also what only root can make."""
    root = os.fsencode(tmp_path / "source")
    os.mkdir(root)

    def here(*parts):
        return os.path.join(root, *parts)

    for name in (b"plain", b"bad\xff\xfename", b"new\nline", b" blanks ", b"-dash", b"\\#101", b"n" * 255):
        with open(here(name), "wb") as stream:
            stream.write(name)
    os.makedirs(here(b"sub", b"deeper"))
    os.mkdir(here(b"empty"))
    os.chmod(here(b"empty"), 0o1777)
    os.link(here(b"plain"), here(b"sub", b"hard link"))
    os.symlink(b"plain", here(b"link"))
    os.symlink(b"../../../../etc/passwd", here(b"escape"))
    os.symlink(b"/nonexistent", here(b"broken"))
    os.mkfifo(here(b"fifo"), 0o640)
    with open(here(b"sparse"), "wb") as stream:
        stream.truncate(64 << 20)
        stream.seek(32 << 20)
        stream.write(b"middle")
    os.setxattr(here(b"plain"), b"user.key", b"\0\xff value")
    if ROOT:
        os.mknod(here(b"socket"), 0o600 | stat.S_IFSOCK)
        os.mknod(here(b"device"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        for name, owner in ((b"plain", 1234), (b"link", 4321), (b"", 999)):
            os.chown(here(name), owner, owner + 1, follow_symlinks=False)
        os.setxattr(here(b"-dash"), b"trusted.key", b"value")
    os.chmod(here(b" blanks "), 0o4755)
    os.utime(here(b"plain"), ns=(1, 1234567890123456789))
    os.utime(here(b"link"), ns=(1, 987654321987654321), follow_symlinks=False)
    os.utime(here(b"sub"), ns=(1, 111))
    os.chmod(root, 0o1770)
    os.utime(root, ns=(1, 1111111111222222222))
    return os.fsdecode(root)


@pytest.fixture
def destination(tmp_path):
    (tmp_path / "destination").mkdir()
    return str(tmp_path / "destination")


def picture(tree):
    """All that matters of a tree, read without rsync: path -> metadata, xattrs, content, names of the same inode."""
    seen, inodes = {}, {}
    for folder, folders, files in os.walk(os.fsencode(tree)):
        for path in [folder] + [os.path.join(folder, name) for name in folders + files]:
            found = os.lstat(path)
            name = os.path.relpath(path, os.fsencode(tree))
            inodes.setdefault(found.st_ino, set()).add(name)
            content = b""
            if stat.S_ISREG(found.st_mode):
                with open(path, "rb") as stream:
                    content = stream.read()
            elif stat.S_ISLNK(found.st_mode):
                content = os.readlink(path)
            attributes = {key: os.getxattr(path, key, follow_symlinks=False) for key in _attributes(path)}
            seen[name] = [
                found.st_mode,
                found.st_uid,
                found.st_gid,
                found.st_mtime_ns,
                found.st_rdev,
                attributes,
                content,
            ]
    for names in inodes.values():
        for name in names:
            seen[name].append(sorted(names))
    return seen


def _attributes(path):
    return [key for key in os.listxattr(path, follow_symlinks=False) if key != "security.selinux"]


@needs_rsync
def test_a_copy_is_exact_and_a_second_one_does_nothing(source, destination):
    before = picture(source)
    first = copy(source, destination)
    assert picture(destination) == before == picture(source)
    assert len(before) == 17 + 2 * ROOT
    assert (first.files, first.changes >= first.files) == (8, True)
    assert os.stat(destination + "/sparse").st_blocks * 512 < 1 << 20
    assert copy(source, destination)[:2] == (0, 0)
    assert copy(source, destination).changes == 0


@needs_rsync
def test_later_rounds_follow_every_change(source, destination):
    copy(source, destination)
    os.unlink(source + "/fifo")
    os.chmod(source + "/empty", 0o700)
    os.setxattr(source + "/plain", b"user.key", b"other")
    os.rename(source + "/-dash", source + "/sub/-dash")
    with open(source + "/sparse", "r+b") as stream:
        stream.write(b"new beginning")
    with open(destination + "/foreign", "wb"):
        pass
    round_two = copy(source, destination)
    assert round_two.files == 2
    assert picture(destination) == picture(source)


@needs_rsync
def test_a_change_within_the_same_second_is_seen(source, destination):
    os.utime(source + "/plain", ns=(1, 5_000_000_001))
    copy(source, destination)
    with open(source + "/plain", "r+b") as stream:
        stream.write(b"PLAIN")
    os.utime(source + "/plain", ns=(1, 5_000_000_002))
    assert copy(source, destination).files == 1
    assert picture(destination) == picture(source)


@needs_rsync
def test_looking_ahead_writes_nothing(source, destination):
    before = picture(destination)
    ahead = copy(source, destination, dry_run=True)
    assert (ahead.files, ahead.bytes > 64 << 20) == (8, True)
    assert picture(destination) == before


@needs_rsync
def test_what_rsync_cannot_do_is_an_error_that_names_both_trees(source, tmp_path):
    with pytest.raises(TreeError, match="rsync from .*/source to .*/missing/deeper failed with exit code 11: .*mkdir"):
        copy(source, str(tmp_path / "missing" / "deeper"))


VANISHED = Completed(24, "", 'file has vanished: "/v/a"\nrsync warning: some files vanished before they could be x\n')
SHRUNK = Completed(
    23,
    "",
    'rsync: [sender] read errors mapping "/v/a": No data available (61)\n'
    "ERROR: a failed verification -- update discarded.\n"
    "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1338)\n",
)
GONE = Completed(
    23,
    "",
    '\nrsync: [sender] get_acl: sys_acl_get_file("/v/a", ACL_TYPE_ACCESS): No such file or directory (2)\n'
    '\nrsync: [sender] link_stat "/v/b/c" failed: Not a directory (20)\n'
    "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1338)\n",
)
BECAME = Completed(
    23,
    "",
    'rsync: [sender] send_files failed to open "/v/a/f": Too many levels of symbolic links (40)\n'
    'rsync: [sender] readlink_stat("/v/b") failed: Invalid argument (22)\n'
    'rsync: [sender] read errors mapping "/v/c": Is a directory (21)\n'
    'rsync: [sender] send_files failed to open "/v/pipe": Interrupted system call (4)\n'
    'rsync: [sender] send_files failed to open "/v/no longer\\#012 there": Permission denied (13)\n'
    "rsync: [sender] get_acl: sys_acl_get_file(d, ACL_TYPE_DEFAULT): Permission denied (13)\n" + SHRUNK.stderr,
)
FULL = Completed(11, "", "rsync: write failed: No space left on device (28)\n")
DENIED = Completed(23, "", 'rsync: opendir "/v/a" failed: Permission denied (13)\n' + SHRUNK.stderr)
SILENT = Completed(23, "", "")


@pytest.mark.parametrize(
    ("done", "harmless"),
    [(VANISHED, True), (SHRUNK, True), (GONE, True), (BECAME, True), (FULL, False), (DENIED, False), (SILENT, False)],
)
def test_only_what_a_running_application_does_is_forgiven(monkeypatch, tmp_path, done, harmless):
    rounds = []
    monkeypatch.setattr(rsync, "watch", lambda argv, _see, _nudge: rounds.append(argv[0]) or done)
    assert moved_on(done) is harmless
    with pytest.raises(TreeError):
        copy("/v", str(tmp_path / "w"))
    assert len(rounds) == (2 if done.rc == 23 else 1)
    rounds.clear()
    if harmless:
        copy("/v", str(tmp_path / "w"), live=True)
    else:
        with pytest.raises(TreeError):
            copy("/v", str(tmp_path / "w"), live=True)
    assert len(rounds) == (3 if done.rc == 23 else 1)


@needs_rsync
@pytest.mark.parametrize("live", [False, True])
def test_a_folder_that_became_one_more_name_of_a_file_is_no_error(source, destination, live):
    """rsync removes the folder and then asks for its ACL; the next time all is well."""
    copy(source, destination)
    os.rmdir(source + "/sub/deeper")
    os.link(source + "/plain", source + "/sub/deeper")
    copy(source, destination, live=live)
    assert picture(destination) == picture(source)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("volumes/v/_data", ""),
        ("root/volumes/v/_data", ""),
        ("volumes/missing/_data", "does not exist"),
        ("volumes/link/_data", "through a symbolic link"),
        ("volumes/v/linked", "through a symbolic link"),
        ("volumes/v/dangling", "through a symbolic link"),
        ("volumes/v/file", "is not a folder"),
        ("volumes", "is not below"),
        ("elsewhere", "is not below"),
        ("volumes/../elsewhere", "is not below"),
        ("volumes/v/../v/_data", "is not below"),
        ("volumes-2", "is not below"),
    ],
)
def test_only_folders_below_the_volumes_are_touched(tmp_path, path, said):
    for folder in ("real/volumes/v/_data", "real/volumes/other/_data", "elsewhere", "real/elsewhere", "real/volumes-2"):
        (tmp_path / folder).mkdir(parents=True)
    os.symlink("real", tmp_path / "root")
    os.symlink("other", tmp_path / "real/volumes/link")
    os.symlink("_data", tmp_path / "real/volumes/v/linked")
    os.symlink("nowhere", tmp_path / "real/volumes/v/dangling")
    (tmp_path / "real/volumes/v/file").touch()
    base = "{0}/root/".format(tmp_path)
    full = base + path if not path.startswith("root/") else "{0}/{1}".format(tmp_path, path)
    if not said:
        assert require_inside(full, base + "volumes", "It") == full
        return
    with pytest.raises(TreeError) as refusal:
        require_inside(full, base + "volumes", "It")
    assert said in str(refusal.value)


def test_a_relative_path_is_refused():
    with pytest.raises(TreeError):
        require_inside("volumes/v", "volumes", "It")


def test_a_missing_rsync_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="rsync is not installed"):
        run(["rsync"])
