"""Which GitHub event a body without headers is, as far as its shape or its file's name tells.

In: a decoded body and a file name such as `pull_request.opened.json` or `push__tag.json`. Out: the headers that GitHub
would have sent, empty when it is not clear. Only `firehose explain` uses it: a live delivery always names its event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from firehose.sources.github.kinds import ALWAYS, KINDS
from firehose.wild import Wild

# The first row all of whose members are there decides; the more special ones come first.
_SHAPES: Final = (
    ("pull_request_review_thread", "thread pull_request"),
    ("pull_request_review_comment", "comment pull_request"),
    ("pull_request_review", "review pull_request"),
    ("pull_request", "pull_request number"),
    ("issue_comment", "comment issue"),
    ("discussion_comment", "comment discussion"),
    ("issues", "issue"),
    ("discussion", "discussion"),
    ("deployment_review", "approver workflow_run"),
    ("workflow_job", "workflow_job"),
    ("deployment_status", "deployment_status deployment"),
    ("deployment", "deployment"),
    ("workflow_run", "workflow_run workflow"),
    ("check_run", "check_run"),
    ("check_suite", "check_suite"),
    ("commit_comment", "comment"),
    ("push", "ref before after"),
    ("status", "sha context state"),
    ("release", "release"),
    ("fork", "forkee"),
    ("gollum", "pages"),
    ("milestone", "milestone"),
    ("label", "label"),
    ("merge_group", "merge_group"),
    ("package", "package"),
    ("page_build", "build"),
    ("ping", "zen hook"),
    ("meta", "hook hook_id"),
    ("repository_advisory", "repository_advisory"),
    ("repository_ruleset", "repository_ruleset"),
)
_NAMES: Final = {**KINDS, **ALWAYS}


def guess(body: Wild, file: str) -> Mapping[str, str]:
    """The missing headers; {} when the event is not clear."""
    name = re.split(r"[./]|__", file.removesuffix(".json"), maxsplit=1)[0]
    if name not in _NAMES:
        fitting = (event for event, keys in _SHAPES if all(body[key].present for key in keys.split()))
        name = next(fitting, "")
    return {"x-github-event": name} if name else {}
