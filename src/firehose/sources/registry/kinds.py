"""The registries' vocabulary as tables: what each notification means, what is left out and why.

Nothing here reads a payload. The reference pages show these tables, so every entry is written for operators.
"""

from __future__ import annotations

from typing import Final

HARBOR: Final = {
    "PUSH_ARTIFACT": ("artifact.published", "pushed", ""),
    "DELETE_ARTIFACT": ("artifact.deleted", "deleted", ""),
    "UPLOAD_CHART": ("artifact.published", "uploaded the chart", ""),
    "DELETE_CHART": ("artifact.deleted", "deleted the chart", ""),
    "SCANNING_COMPLETED": ("testsuiterun.finished", "the scan was completed of", "success"),
    "SCANNING_FAILED": ("testsuiterun.finished", "the scan failed of", "error"),
    "SCANNING_STOPPED": ("testsuiterun.finished", "the scan was stopped of", "cancel"),
    "REPLICATION": ("artifact.updated", "replicated", ""),
    "TAG_RETENTION": ("artifact.updated", "tag retention ran on", ""),
    "QUOTA_EXCEED": ("incident.detected", "the quota is exceeded of", ""),
    "QUOTA_WARNING": ("incident.detected", "the quota is nearly used up of", ""),
}
"""Harbor's type: kind, words, outcome."""
REPLICATIONS: Final = {
    "success": "success", "succeed": "success", "failed": "failure", "failure": "failure", "error": "error",
    "stopped": "cancel",
}  # fmt: skip
"""Harbor's status of a replication job."""

NPM: Final = {
    "package:publish": ("artifact.published", "was published"),
    "package:unpublish": ("artifact.deleted", "was unpublished"),
    "package:deprecate": ("artifact.updated", "was deprecated"),
    "package:deprecated": ("artifact.updated", "was deprecated"),
    "package:undeprecate": ("artifact.updated", "is no longer deprecated"),
    "package:undeprecated": ("artifact.updated", "is no longer deprecated"),
    "package:dist-tag": ("artifact.tagged", "was tagged"),
    "package:dist-tag-rm": ("artifact.tagged", "lost the tag"),
    "package:owner": ("package.updated", "has another owner"),
    "package:owner-rm": ("package.updated", "has an owner less"),
    "package:change": ("package.updated", "was changed"),
}
"""npm's event: kind, words."""

KINDS: Final = {
    "dockerhub.push": "artifact.published",
    "quay.repo_push": "artifact.published, one for each tag",
    "quay.build": "build.finished; build.updated while it is under way",
    "quay.vulnerability_found": "incident.detected",
    **{f"harbor.{event}": kind for event, (kind, _, _) in HARBOR.items()},
    **{f"npm.{event}": kind for event, (kind, _) in NPM.items()},
    "distribution.push": "artifact.published",
    "distribution.delete": "artifact.deleted",
}
IGNORED: Final = {
    "private": "about a private repository (streams for an audience come in a later version)",
    "harbor.PULL_ARTIFACT": "somebody read an image",
    "harbor.DOWNLOAD_CHART": "somebody read a chart",
    "distribution.pull": "somebody read an image, or a layer of one was stored",
    "npm.package:star": "a taste, no change",
    "npm.package:unstar": "a taste, no change",
}
