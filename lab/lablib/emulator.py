"""The QEMU that runs the machines: this machine's own, or Debian 13's where that would emulate badly."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from . import cache, debian, qemu

# Older ones emulate cmpxchg16b and AVX wrongly (guest kernels panic, glibc aborts), and need about twice the time for what
# Go and OpenSSL do.
FIRST_GOOD = 10
SUITE, PACKAGE = "trixie", "qemu-system-x86"
# Debian's packages need no more; "max" would emulate AVX instead of not offering it.
EMULATION = ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "Nehalem"]


class Emulator(NamedTuple):
    """QEMU as a command of this machine, how it runs machines here, its version, and the layers that it is in."""

    program: list[str]
    options: list[str]
    version: str
    layers: list[Path]

    @property
    def argv(self) -> list[str]:
        return [*self.program, *self.options]


def choose(boot: Path) -> Emulator:
    """QEMU with hardware virtualisation where a kernel truly boots with it, else one that emulates well."""
    own = qemu.version([qemu.PROGRAM])
    if qemu.accelerator(boot) == "kvm":
        return Emulator([qemu.PROGRAM], ["-accel", "kvm", "-cpu", "host"], own, [])
    if is_good(own):
        return Emulator([qemu.PROGRAM], EMULATION, own, [])
    layer = cache.layer("qemu", SUITE, cache.key({"package": PACKAGE}, [Path(__file__), Path(debian.__file__)]), _build)
    program = unpacked(layer)
    return Emulator(program, EMULATION, qemu.version(program), [layer])


def is_good(version: str) -> bool:
    return int(version.split(".")[0]) >= FIRST_GOOD


def unpacked(folder: Path) -> list[str]:
    """The program in an unpacked Debian, with its own C library and firmware, as a command of this machine."""
    libraries = folder / "usr/lib/x86_64-linux-gnu"
    firmware = [word for name in ("qemu", "seabios") for word in ("-L", str(folder / "usr/share" / name))]
    loader = [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)]
    return [*loader, str(folder / "usr/bin" / qemu.PROGRAM), *firmware]


def _build(work: Path) -> None:
    log = work / "build.log"
    debian.mmdebstrap(SUITE, work / "root.tar", ["--variant=extract", f"--include={PACKAGE}"], log)
    debian.run(["tar", "-xf", "root.tar", "--no-same-owner", "./usr"], log, cwd=work)
    (work / "root.tar").unlink()
