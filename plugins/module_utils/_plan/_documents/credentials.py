# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values in documents and texts are secret: by their names, in URLs, and where programs take them for a password
(private to the collection)."""

from __future__ import annotations

import json
import re
import shlex
from functools import lru_cache
from typing import Any, Iterator, Match, Sequence
from urllib.parse import unquote

RULES = (
    r"PASS(WORD|WD|PHRASE)?S?\d*(_|$)",
    r"SECRET",
    r"TOKEN",
    r"CREDENTIAL",
    r"(API|APP|ACCESS|MASTER|PRIVATE|ENCRYPTION|SIGNING)_?KEY",
    r"(^|_)(AUTH|DSN|PWD)(_|$)",
)
"""Regular expressions, searched for in the upper-cased name of a variable; the policy adds others."""

_BUILT_IN = re.compile("|".join(RULES))
# Lengths are bounded, or a long value would cost the square of its length.
_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^/\s:@]{0,200}:(?P<bare>[^/\s@]{1,400})@")
# An image's digest is no host.
_BEFORE_HOST = re.compile(
    r"(?<![A-Za-z0-9_.:/@-])(?!mailto:|sips?:|from:|to:)[A-Za-z0-9_.-]{1,200}:(?P<bare>[^/\s:@]{1,400})@(?!sha\d)"
)

_QUOTE = r"(?:\\{0,8}[\"'])"
_BARE = r"(?P<bare>[^\s\"'`,;&|)}\]<>\\]{1,4000})"
_VALUE = rf"(?:(?P<quote>{_QUOTE})(?P<quoted>.{{1,4000}}?)(?P=quote)|{_BARE})"
_NAMED = (
    # NAME=value, name: value, "name": "value"
    re.compile(rf"(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z0-9_.-]{{1,80}}){_QUOTE}?\s{{0,4}}[=:]\s{{0,4}}{_VALUE}"),
    # --name value
    re.compile(rf"(?<![A-Za-z0-9_.-])(?P<name>--?[A-Za-z][A-Za-z0-9_.-]{{1,80}}){_QUOTE}?\s{{1,4}}{_VALUE}"),
)
# name value, as in SQL and in files of settings.
_BESIDE = re.compile(rf"(?<![A-Za-z0-9_.$({{-])(?P<name>[A-Za-z0-9_.]{{1,80}}){_QUOTE}?[ \t]{{1,4}}{_VALUE}")
_OPTION = re.compile(r"--.*|-[a-z][a-z0-9.:/=-]*|-[A-Za-z]?")
_WORD = re.compile(r"[A-Za-z]*[.,]?|-.*|.{0,2}")
_ON_LINE = r"\b[^|;&\n]{0,400}?\s[\"']?"
# What programs take without a name of its own.
_IDIOMS = (
    re.compile(rf"\b(?:mysql|mariadb)[a-z-]{{0,20}}{_ON_LINE}-p{_VALUE}"),
    re.compile(rf"\b(?:sshpass|mongo[a-z]{{0,10}}){_ON_LINE}-p[\"']?\s{{0,4}}{_VALUE}"),
    re.compile(rf"\bredis-cli{_ON_LINE}-a[\"']?\s{{1,4}}{_VALUE}"),
    re.compile(rf"\bldap[a-z]{{1,10}}{_ON_LINE}-w[\"']?\s{{0,4}}{_VALUE}"),
    re.compile(rf"\bcurl{_ON_LINE}(?:-u|--user)[\"']?[\s=]{{0,4}}[\"']?[^\s:\"'$]{{1,200}}:{_BARE}"),
    re.compile(rf"(?i)\bauthorization{_QUOTE}?\s{{0,4}}[:=]\s{{0,4}}{_QUOTE}?(?:bearer|basic|token)\s{{1,4}}{_VALUE}"),
    re.compile(r"(?i)\b(?:basic|digest)auth\.users=[\"']?(?P<bare>[^\s:,]{1,200}:[^\s\"']{1,400})"),
)
_HINT = re.compile(
    r"(?i)pass|secret|token|credential|key|auth|dsn|pwd|://|:[^/]*@|mysql|mariadb|mongo|redis-cli|ldap|curl"
)

# No secrets, whatever their names say: references that a shell or a template fills in, names of files, and settings.
_REFERENCE = re.compile(r"[$`<(]|%[({]|\{\{")
_FILE = re.compile(
    r"(?:file://)?/(?:run|etc|var|home|opt|srv|usr|root|tmp|mnt|data|app|config|certs|secrets|keys)(?:/[\w.@-]*)*/?\Z"
)
# In a text, behind a colon: a path of a volume or a link.
_PATH = re.compile(r"\.{0,2}/[\w.@-]*(?:[/:]|\Z)")
_SETTING = re.compile(
    r"(?i)(service_[a-z_]+(:\w+)*|true|false|yes|no|on|off|none|null|nil|(?:en|dis)abled?|required?|optional|\d{1,4}[smhd]?)\Z"
)
_ABOUT = re.compile(
    r"_(MODE|HEADERS?|POLICY|TYPE|METHODS?|FILE|PATH|DIR|TTL|LIFETIME|TIMEOUT|EXPIR[A-Z]*|ALGORITHM|NAME|ISSUER|AUDIENCE|REALM"
    r"|ENABLED?|LENGTH|SIZE|COUNT|ADDRESS|HOST|PORT|PROVIDER|BACKEND|ENCRYPTION|HASHING|SCOPES?|PLUGIN)\Z"
    r"|TOKENIZER|MAX_TOKENS|(^|_)(AUTH|DSN|PWD)_(?!.*(PASS|SECRET|TOKEN|CREDENTIAL|KEY))"
)
"""Names of what is about a secret, and none."""
_ADDRESS = re.compile(
    r"(?:[a-z+]{1,12}://[a-z0-9._-]{1,200}"
    r"|(?:[a-z0-9_-]{1,60}\.){1,9}(?:com|net|org|io|de|dev|app|test|example|local|lan|internal|localdomain)|localhost"
    r"|\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})"
    r"(?::\d{1,5})?(?:/[a-z._-]{0,30}){0,5}\Z"
)


@lru_cache(maxsize=65536)
def _is_named(name: str, rules: tuple[str, ...], but: re.Pattern[str] | None = None) -> bool:
    """Whether a rule matches a name; the built-in ones do not when ``but`` does."""
    word = re.sub(r"[^A-Z0-9]", "_", name.upper())
    is_built_in = bool(_BUILT_IN.search(word)) and not (but and but.search(word))
    return is_built_in or any(re.search(rule, word, re.IGNORECASE) for rule in rules)


def is_secret(name: str, value: str, rules: Sequence[str]) -> bool:
    """Whether a rule matches the name of a variable, or the value holds credentials in a URL."""
    return _is_named(name, tuple(rules)) or ("://" in value and bool(_IN_URL.search(value)))


def is_given(value: str) -> bool:
    """False for files, for addresses, and for settings such as ``true``."""
    return bool(value) and not (_FILE.match(value) or _SETTING.match(value) or _ADDRESS.match(value))


def _is_literal(value: str) -> bool:
    return is_given(value) and not _REFERENCE.match(value) and not _PATH.match(value)


def spans(line: str, rules: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where values stand in a text that have the name of a secret, that programs take for one, or that are one in a URL."""
    if not rules and not _HINT.search(line):
        return
    for pattern in (_IN_URL, _BEFORE_HOST, *_IDIOMS):
        yield from (_span(match) for match in pattern.finditer(line) if _is_literal(_value(match)))
    for pattern, is_other in ((_NAMED[0], None), (_NAMED[1], _OPTION), (_BESIDE, _WORD)):
        for match in _all(pattern, line):
            value = _value(match)
            is_something = _is_literal(value) and not (is_other and is_other.fullmatch(value))
            if is_something and _is_named(match.group("name").lstrip("-"), tuple(rules), _ABOUT):
                yield _span(match)


def _all(pattern: re.Pattern[str], line: str) -> Iterator[Match[str]]:
    """All matches, also those in the value of another: ``x: password=y``."""
    match = pattern.search(line)
    while match:
        yield match
        match = pattern.search(line, match.end("name"))


def _value(match: Match[str]) -> str:
    return match.groupdict().get("quoted") or match.group("bare") or ""


def _span(match: Match[str]) -> tuple[int, int]:
    return match.span("quoted" if match.groupdict().get("quoted") else "bare")


def mentions_secret(line: str, rules: Sequence[str]) -> bool:
    """Whether there is any such value in a text."""
    return any(True for _span in spans(line, rules))


def within(value: str, rules: Sequence[str]) -> Iterator[str]:
    """The secrets in a text, each also as it is without the escapes of a URL."""
    for start, end in spans(value, rules):
        yield from {value[start:end], unquote(value[start:end])}


def of_variable(name: str, value: str, rules: Sequence[str]) -> Iterator[str]:
    """The secrets that ``name=value`` holds: the value when a rule matches the name, and what stands in it."""
    if (
        _is_named(name, tuple(rules), _ABOUT)
        and is_given(value)
        and not _IN_URL.fullmatch(value.partition("@")[0] + "@")
    ):
        yield value
        user, colon, password = value.partition(":")
        if colon and user.isidentifier() and not password.startswith("//"):
            yield password
    yield from within(value, rules)
    yield from of_document(_embedded(value), rules)


_NAMES = frozenset(
    ("Id", "Name", "Image", "Links", "Aliases", "DNSNames", "RepoTags", "RepoDigests", "Mountpoint", "Source")
)
"""Fields in which ``auth:1.2`` is no value of something that is called auth."""


def of_document(node: Any, rules: Sequence[str], name: str = "") -> Iterator[str]:
    """The secrets in a document, whatever it is: keys are names, strings may be ``NAME=value``, lists may be the words of a
    command."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from of_document(value, rules, str(key)) if key not in _NAMES else ()
    elif isinstance(node, list):
        for item in node:
            yield from of_document(item, rules, name)
        words = [item for item in node if isinstance(item, str)]
        if len(words) > 1 and name != "Env":
            yield from _of_words(words, rules)
    elif isinstance(node, str) and node:
        yield from of_variable(name, node, rules)
        head, equals, value = node.partition("=")
        if equals and not head.split()[1:] and (name == "Env" or not _REFERENCE.match(value)):
            yield from of_variable(head, value.strip("\"'"), rules)


def _embedded(value: str) -> Any:
    """The JSON that a string is, as far as it holds anything."""
    try:
        return json.loads(value) if value[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        return None


def _of_words(words: list[str], rules: Sequence[str]) -> Iterator[str]:
    for word, following in zip(words, words[1:]):
        is_named = word.startswith("-") and _is_named(word.lstrip("-"), tuple(rules), _ABOUT)
        if is_named and _is_literal(following) and not _OPTION.fullmatch(following):
            yield following
    yield from within(" ".join(map(shlex.quote, words)), rules)
