# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts without the secrets of a host, wherever these stand in them and however they are written (private to the
collection)."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect
from itertools import takewhile
from typing import Any, Iterable, Iterator, NamedTuple, Sequence
from urllib.parse import quote, quote_plus

from .._common.json import Json, dig, items, mapping, text
from . import quadlet
from ._documents import credentials

MASK = "********"
LEAST = 6
"""Characters; shorter values ("1", "true") stand everywhere, and would black out half of every text."""
_ENOUGH = 12
"""Characters of the beginning of a value that are hidden alone: texts are cut off."""
_FAR = 200
"""Characters; no two values have more in common."""
_WORD = re.compile(r"[a-z]{1,11}\Z")
_QUOTING = re.compile(r"[\\\"']+|%(?=%)|\$(?=\$)")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]*\Z")


def without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with a mask for each of these parts; those that overlap get one."""
    parts, done = [], 0
    for start, end in sorted(spans):
        if end > done:
            parts += [text[done:start], MASK] if start >= done else []
            done = end
    return "".join([*parts, text[done:]])


class Hidden:
    """Values that a text may not show; those of fewer than six characters are left out."""

    def __init__(self, values: Iterable[str]) -> None:
        found: dict[str, dict[str, str]] = {}
        for value in set(values):
            for form in _forms(value):
                if len(form) >= LEAST:
                    found.setdefault(form[:LEAST], {})[form] = value
        self._by_beginning = {beginning: _Alike(forms) for beginning, forms in found.items()}

    def text(self, text: str) -> str:
        """The text, with a mask for each of them."""
        found = self._in(_bare(text))
        if not found:
            return text
        places = _places(text)
        return without(text, [(places[start], places[end - 1] + 1) for start, end, _value in found])

    def found(self, text: str) -> set[str]:
        """Those that stand in a text."""
        return {value for _start, _end, value in self._in(_bare(text))}

    def document(self, node: Any) -> Any:
        """The same JSON, with all its strings and keys so."""
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, list):
            return [self.document(item) for item in node]
        if not isinstance(node, dict):
            return node
        shown: Json = {}
        for key, value in node.items():
            name = self.text(key)
            while name in shown:
                name += "*"
            shown[name] = self.document(value)
        return shown

    def _in(self, bare: str) -> list[tuple[int, int, str]]:
        known = self._by_beginning
        # This runs for every character of every text: nothing else may stand in the loop.
        starts = [at for at in range(len(bare) - LEAST + 1) if bare[at : at + LEAST] in known] if known else []
        found = ((start, *known[bare[start : start + LEAST]].longest(bare, start)) for start in starts)
        return [(start, start + size, value) for start, size, value in found if size]


class _Alike:
    """Forms of values that begin alike, as tokens of one kind do: it may be all of a host."""

    def __init__(self, forms: dict[str, str]) -> None:
        self._values = forms
        self._lengths = sorted({len(form) for form in forms}, reverse=True)
        self._ordered = sorted(forms)

    def longest(self, text: str, start: int) -> tuple[int, str]:
        """How many characters at a place of the text are one of them, or its beginning, and the value; 0 for none."""
        for length in self._lengths:
            form = text[start : start + length]
            value = self._values.get(form)
            if value is not None and (form != value or _stands_alone(value, text, start)):
                return len(form), value
        # In their order, what has most in common with the text is beside it.
        number = bisect(self._ordered, text[start : start + _FAR])
        beside = self._ordered[max(0, number - 1) : number + 1]
        return max((_same(form, text, start), self._values[form]) for form in beside)


def _same(form: str, text: str, start: int) -> int:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(form, text[start : start + len(form)]))
    same = sum(1 for _pair in pairs)
    return same if _ENOUGH <= same < len(form) else 0


def _bare(text: str) -> str:
    """A text without what shells, JSON, CSV, systemd and Compose write before or around characters."""
    return _QUOTING.sub("", text)


def _places(text: str) -> list[int]:
    """Where each character of the bare text stands in the text."""
    quoted = {at for match in _QUOTING.finditer(text) for at in range(*match.span())}
    return [at for at in range(len(text)) if at not in quoted]


def _stands_alone(value: str, text: str, start: int) -> bool:
    """Whether a plain word is no part of another, nor a number of another. All else is hidden inside of words, too."""
    kind = "A-Za-z" if _WORD.match(value) else "0-9" if value.isdigit() else ""
    if not kind:
        return True
    before, after = text[max(0, start - 2) : start], text[start + len(value) : start + len(value) + 1]
    # -pVALUE
    is_joined = re.search(f"[{kind}]\\Z", before) and not re.search(r"-[A-Za-z]\Z", before)
    return not is_joined and not re.match(f"[{kind}]", after)


def _forms(value: str) -> set[str]:
    """A value, each longer line of it, and how they are written in URLs, JSON, units and base64, all bare."""
    found: set[str] = set()
    lines = {line.strip() for line in value.splitlines()}
    for one in {value, *(line for line in lines if len(line) >= _ENOUGH)}:
        found |= _encoded(one) | {one}
        if not _PLAIN.match(one):
            data = one.encode("utf-8", "surrogatepass")
            in_urls = {quote(data, safe=""), quote(data), quote_plus(data)}
            found |= {one, json.dumps(one), json.dumps(one, ensure_ascii=False), repr(one), quadlet.word(one), *in_urls}
    return set(map(_bare, found))


def _encoded(value: str) -> set[str]:
    """The characters of base64 that this value alone decides, at each place where it may begin within a text."""
    data, found = value.encode("utf-8", "surrogatepass"), set()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        end = len(whole) - (1 if (shift + len(data)) % 3 else 0)
        own = whole[(0, 2, 3)[shift] : end]
        if len(own) >= LEAST:
            found |= {own, own.replace("+", "-").replace("/", "_")}
    return found


class Secrets(NamedTuple):
    """What is secret on a host: ``telling`` may stand in no text at all. ``words`` (``swordfish``) are hidden where a container's
    own text is, and not in names and sentences, which have such words as well."""

    telling: Hidden
    words: Hidden

    def found(self, text: str) -> set[str]:
        """Those that stand in a text."""
        return self.telling.found(text) | self.words.found(text)

    def own_text(self, text: str) -> str:
        """A text of a container, such as its command, without them."""
        return self.words.text(self.telling.text(text))


NOTHING = Secrets(Hidden(()), Hidden(()))


def of_inventory(inventory: Any, rules: Sequence[str]) -> Secrets:
    """What is secret on a host, in any of its documents."""
    values = set(credentials.of_document(inventory, rules))
    words = {value for value in values if _WORD.match(value)}
    return Secrets(Hidden(values - words), Hidden(words.difference(_names(inventory))))


def _names(inventory: Any) -> Iterator[str]:
    """The words in the names of what a plan is about."""
    containers = [mapping(item) for item in items(mapping(inventory).get("containers"))]
    names = [text(dig(item, key)) for item in containers for key in ("Name", "Config.Image", "Config.User")]
    for part in ("networks", "volumes"):
        names += [text(mapping(item).get("Name")) for item in items(mapping(inventory).get(part))]
    for name in names:
        yield from re.findall(r"[a-z]+", name)
