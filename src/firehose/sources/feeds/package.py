"""What a release feed's entry released: package and version, read from the entry's address, else from its title.

In: an entry's link and title. Out: a `Package` with the subject that other sources use for the same thing, or None.
Known by a word in the host's name, so that mirrors count: PyPI, crates.io, npm, RubyGems; any forge by its paths.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from firehose.subject import escape


class Package(msgspec.Struct, frozen=True):
    """name: as people say it, `openstack/nova` or `nova`. subject: `package/pypi/nova@30.0.0`."""

    name: str
    version: str
    subject: str


_FORGE: Final = re.compile(r"^/(?P<name>[^/]+/.+?)/(?:-/)?(?:releases(?:/tag)?|tags?|src/tag)/(?P<version>.+)$")
_SHOPS: Final = (
    ("pypi", "pypi", re.compile(r"^/project/(?P<name>[^/]+)/(?P<version>[^/]+)/?$")),
    ("crates", "cargo", re.compile(r"^/crates/(?P<name>[^/]+)/(?P<version>[^/]+)/?$")),
    ("npmjs", "npm", re.compile(r"^/package/(?P<name>(?:@[^/]+/)?[^/]+)/v/(?P<version>[^/]+)/?$")),
    ("rubygems", "rubygems", re.compile(r"^/gems/(?P<name>[^/]+)/versions/(?P<version>[^/]+)/?$")),
)
_TITLE: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9@][\w.@/+-]{0,100}?)[ :@](?:version |release )?(?P<version>v?\d[\w.+~-]{0,60})\b"
)


def package(link: str, title: str) -> Package | None:
    """What was released, None when neither address nor title tells."""
    parts = urlsplit(link)
    labels = (parts.hostname or "").split(".")
    path = unquote(parts.path)
    for shop, kind, pattern in _SHOPS:
        if shop in labels and (match := pattern.match(path)):
            name, version = match["name"], match["version"]
            return Package(name, version, f"package/{kind}/{escape(name)}@{escape(version)}")
    if match := _FORGE.match(path):
        name, version = match["name"], match["version"]
        return Package(name, version, f"release/{escape(name)}/{escape(version)}")
    if match := _TITLE.match(title.strip()):
        name, version = match["name"], match["version"]
        return Package(name, version, f"package/{escape(name)}@{escape(version)}")
    return None
