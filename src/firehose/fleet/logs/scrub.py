"""What must not be kept of a line, and what makes two lines of one kind different.

In: a line's text. Out: the text without secrets (`scrub`), and the text with its variable parts named (`mask`), which
is what templates are mined from. Every pattern is linear: a line is foreign, and there are many.
"""

from __future__ import annotations

import re
from typing import Any, Final

import re2

from firehose.intake.redact import scrub_text

HIDDEN: Final = "<hidden>"
MASKED: Final = 600
"""Characters of a line that count for its template."""
_KEY_BEGIN: Final = "-----BEGIN "
_KEY_END: Final = "-----END "
KEY_LINES: Final = 200
"""Lines after which a key that never ends is believed to have ended."""

# RE2 is linear whatever the text is. One pattern, so that a line without secrets costs one pass.
_NAMED: Final = (
    r"(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth[_-]?key"
    r"|client[_-]?secret|session[_-]?id|cookie|community)"
)
_SECRET: Final = re2.compile(
    r"(?i)(?P<named>[\w.-]*" + _NAMED + r"s?[\w.-]{0,20}[\"']?\s*(?:[=:]>?|\bis\b)\s*)"
    r"(?P<value>\"(?:[^\"\\]|\\.)+\"|'(?:[^'\\]|\\.)+'|[^\s\"',;&)}\]<>]+)"
    r"|(?P<scheme>\b(?:bearer|basic|digest|negotiate|token)\s+)(?P<proof>[A-Za-z0-9+/=._~-]{8,})"
    r"|(?P<flag>\s(?:--?(?:pass(?:word)?|token|secret|api-key|user)(?:=|\s+)))(?P<given>[^\s\"']+)"
    r"|(?P<url>[a-z][a-z0-9+.-]*://[^\s/:@]*):(?P<login>[^\s/@]+)@"
    r"|(?P<known>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abprs]-[\w-]{10,}|\bfht_[\w-]{20,}|\bsk-[\w-]{20,}|\bpypi-[\w-]{20,}|\bhvs\.[\w-]{20,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|\bgAAAAA[\w=-]{20,})"
)
_HINT: Final = re2.compile(
    r"(?i)pass|secret|token|key|credential|session|cookie|community|bearer|basic|digest|negotiate|://|AKIA|ASIA"
    r"|gh[pousr]_|glpat|xox|fht_|sk-|pypi-|hvs\.|eyJ|gAAAA|--?user"
)
_MASKS: Final = (
    ("<uuid>", r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"),
    ("<time>", r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"),
    ("<time>", r"\b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b"),
    ("<url>", r"\b[a-z][a-z0-9+.-]{1,10}://[^\s\"'<>]{1,300}"),
    ("<mac>", r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"),
    ("<ip>", r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{1,5})?\b"),
    ("<hex>", r"\b(?:0x[0-9a-fA-F]{1,40}|[0-9a-fA-F]{12,64})\b"),
    ("<num>", r"\b\d[\d.,]{0,30}"),
)  # fmt: skip
_MASK: Final = re.compile("|".join(f"({pattern})" for _, pattern in _MASKS))
_NAMES: Final = ("", *(name for name, _ in _MASKS))


def scrub(text: str) -> str:
    """The text without passwords, tokens, keys and e-mail addresses."""
    clean = scrub_text(text)
    if _HINT.search(clean) is None:
        return clean
    return str(_SECRET.sub(_hide, clean))


def _hide(match: Any) -> str:
    for before in ("named", "scheme", "flag"):
        if match.group(before) is not None:
            return f"{match.group(before)}{HIDDEN}"
    if match.group("url") is not None:
        return f"{match.group('url')}:{HIDDEN}@"
    return HIDDEN


class Keys:
    """Private keys run over several lines; this remembers that one is open. One for each sender and file."""

    def __init__(self) -> None:
        self._open = 0

    def scrub(self, text: str) -> str:
        """The line, with nothing of a key in it."""
        if self._open:
            self._open -= 1
            if _KEY_END in text:
                self._open = 0
            return HIDDEN
        if _KEY_BEGIN in text and "PRIVATE KEY" in text:
            before, _, rest = text.partition(_KEY_BEGIN)
            self._open = 0 if _KEY_END in rest else KEY_LINES
            return scrub(before) + HIDDEN
        return scrub(text)


def mask(text: str) -> str:
    """The text with numbers, addresses, times and identifiers named instead of shown."""
    return _MASK.sub(lambda match: _NAMES[match.lastindex or 0], text[:MASKED])
