"""What the framework gives to every handler that asks for it: `hub: GivenHub`."""

from __future__ import annotations

from litestar.di import NamedDependency

from firehose.web.hub import Hub

GivenHub = NamedDependency[Hub]
