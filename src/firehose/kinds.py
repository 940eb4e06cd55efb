"""Kinds that are declared by a folder each: sources and sinks are found by name, without a list of them.

In: the package that holds the folders, the name and type of what each declares. Out: declarations, or `Broken`
(settings) with the nearest known word. A folder's `also` names the further words that it serves.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, Protocol, TypeVar, cast

from firehose.errors import Broken


class Declared(Protocol):
    """What every declaration has."""

    @property
    def also(self) -> Mapping[str, str]:
        """Further words, with the title of each."""
        ...


_K = TypeVar("_K", bound=Declared)


@dataclass(frozen=True)
class Kinds(Generic[_K]):
    """The folders below `package`, each with a `name` of type `declared`; `noun` is what people call them."""

    package: str
    name: str
    declared: type[_K]
    noun: str

    def load(self, kind: str) -> _K:
        """The declaration of a kind; `Broken` (settings) names the nearest known one."""
        if kind in self.folders():
            return self._in(kind)
        for folder in self.folders():
            # Only a word that is no folder's name costs looking into all of them.
            found = self._in(folder)
            if kind in found.also:
                renamed: _K = dataclasses.replace(cast(Any, found), name=kind, title=found.also[kind], also={})
                return renamed
        known = self.words()
        near = get_close_matches(kind, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
        raise Broken(f"no {self.noun} of kind {kind!r}{hint}", code=2)

    def folders(self) -> list[str]:
        """The folders."""
        package = importlib.util.find_spec(self.package)
        places = list(package.submodule_search_locations or ()) if package else []
        return sorted(found.name for found in pkgutil.iter_modules(places) if found.ispkg)

    def words(self) -> list[str]:
        """The words of all kinds that are installed, those that share a folder with another included."""
        return sorted({word for folder in self.folders() for word in (folder, *self._in(folder).also)})

    def _in(self, folder: str) -> _K:
        found = getattr(importlib.import_module(f"{self.package}.{folder}"), self.name)
        if not isinstance(found, self.declared):
            raise Broken(f"{self.package}.{folder}.{self.name} is not a {self.declared.__name__}", code=2)
        return found
