"""What the services on Fedora's bus say: a table each, by topic."""

from firehose.sources.fedora.services.rules import Said
from firehose.sources.fedora.services.table import KINDS, rule, say

__all__ = ["KINDS", "Said", "rule", "say"]
