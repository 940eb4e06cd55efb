"""JSON schemas that senders must keep to: read once when the settings are read, compiled once, applied to data.

In: the settings' table of type patterns and files. Out: `problem`, the first fault with its path, None if there is
none. References between the given files work by `$id`; nothing is ever fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY

Pairs = tuple[tuple[str, str], ...]
_LONGEST: Final = 200


class Schemas:
    """The compiled schemas of one source, by type pattern and by `$id`."""

    def __init__(self, pairs: Pairs) -> None:
        contents = {file: _read(file) for _, file in pairs}
        known = EMPTY_REGISTRY.with_resources(
            (uri, Resource.from_contents(schema, default_specification=DRAFT202012))
            for file, schema in contents.items()
            for uri in {file, str(schema.get("$id", file))}
        )
        compiled = {file: _compile(file, schema, known) for file, schema in contents.items()}
        self._by_type = [(pattern, compiled[file]) for pattern, file in pairs]
        self._by_id = {str(schema.get("$id", file)): compiled[file] for file, schema in contents.items()}

    def fitting(self, type_: str, dataschema: str) -> Iterator[Validator]:
        """The schemas for an event: that of the first pattern that fits its type, and the one that it names itself."""
        for pattern, validator in self._by_type:
            if fnmatchcase(type_, pattern):
                yield validator
                break
        if dataschema in self._by_id:
            yield self._by_id[dataschema]

    def problem(self, type_: str, dataschema: str, data: Any) -> tuple[str, str] | None:
        """Path (`data.repo.name`) and sentence of the worst fault in an event's data."""
        for validator in self.fitting(type_, dataschema):
            try:
                fault = best_match(validator.iter_errors(data))
            except Unresolvable as error:
                return "data", f"the schema refers to {error.ref!r}, which is not among the registered ones"
            if fault is not None:
                return _path(fault.absolute_path), fault.message[:_LONGEST]
        return None


@lru_cache(maxsize=64)
def compiled(pairs: Pairs) -> Schemas:
    """The schemas for a settings table; ValueError names the file that is missing or no schema."""
    return Schemas(pairs)


def pairs(table: Mapping[str, str]) -> Pairs:
    """The table in the order it was written, fit for a cache."""
    return tuple(table.items())


def _read(file: str) -> dict[str, Any]:
    try:
        schema = msgspec.json.decode(Path(file).read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read the schema {file}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"the schema {file} is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ValueError(f"the schema {file} is no JSON object")
    return schema


def _compile(file: str, schema: dict[str, Any], known: Any) -> Validator:
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ValueError(
            f"the schema {file} is no JSON schema: {_path(error.absolute_path)}: {error.message}"
        ) from None
    validator: Validator = kind(schema, registry=known)
    return validator


def _path(keys: Any) -> str:
    return "data" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
