"""Which event a body without headers is, as far as its shape tells.

In: a decoded body and a file name. Out: the header that would have come with it, empty when it is not clear. Only
`firehose explain` uses it: a live delivery always names its event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from firehose.sources.forgejo.kinds import ALWAYS, KINDS
from firehose.wild import Wild

# The first row all of whose members are there decides; the more special ones come first.
_SHAPES: Final = (
    ("issue_comment", "comment issue"),
    ("workflow_job", "workflow_job"),
    ("workflow_run", "workflow_run"),
    ("pull_request", "pull_request number"),
    ("issues", "issue number"),
    ("push", "ref before after"),
    ("status", "sha context state"),
    ("create", "sha ref ref_type"),
    ("delete", "pusher_type ref ref_type"),
    ("fork", "forkee repository"),
    ("release", "release"),
    ("package", "package"),
    ("wiki", "page comment"),
)


def guess(body: Wild, file: str) -> Mapping[str, str]:
    """The missing header; {} when the event is not clear."""
    words = re.split(r"[./-]|__", file.removesuffix(".json"))
    name = next((word for word in words if word in {**KINDS, **ALWAYS}), "")
    if not name and body.at("review", "type").present:
        name = body.at("review", "type").text("")
    if not name and body["run"].is_object() and not body["job"].present:
        name = {"success": "action_run_success", "failure": "action_run_failure"}.get(body["action"].text(""), "")
    if not name:
        fitting = (event for event, keys in _SHAPES if all(body[key].present for key in keys.split()))
        name = next(fitting, "")
    return {"x-forgejo-event": name} if name else {}
