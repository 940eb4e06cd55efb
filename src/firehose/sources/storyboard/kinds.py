"""StoryBoard's vocabulary as tables: timeline event types, other resources, and what is left out and why."""

from __future__ import annotations

from typing import Final

CLOSED: Final = frozenset({"merged", "invalid"})
"""Task states after which nobody has to do anything."""

TIMELINE: Final = {
    "story_created": ("ticket.created", "reported story {story}"),
    "story_details_changed": ("ticket.updated", "edited story {story}"),
    "tags_added": ("ticket.updated", "added the tags {tags} to story {story}"),
    "tags_deleted": ("ticket.updated", "removed the tags {tags} from story {story}"),
    "user_comment": ("comment.added", "commented on story {story}"),
    "task_created": ("ticket.created", "added task {task} to story {story}"),
    "task_details_changed": ("ticket.updated", "edited task {task} of story {story}"),
    "task_status_changed": ("ticket.updated", "moved task {task} of story {story} from {old_status} to {new_status}"),
    "task_assignee_changed": ("ticket.updated", "changed the assignee of task {task} of story {story}"),
    "task_priority_changed": (
        "ticket.updated", "changed the priority of task {task} of story {story} from {old_priority} to {new_priority}",
    ),
    "task_deleted": ("ticket.deleted", "deleted task {task} of story {story}"),
    "worklist_created": ("worklist.created", "made worklist {worklist}"),
    "worklist_details_changed": ("worklist.updated", "edited worklist {worklist}"),
    "worklist_filters_changed": ("worklist.updated", "changed the filters of worklist {worklist}"),
    "worklist_contents_changed": ("worklist.updated", "changed what is on worklist {worklist}"),
    "board_created": ("board.created", "made board {board}"),
    "board_details_changed": ("board.updated", "edited board {board}"),
    "board_lanes_changed": ("board.updated", "changed the lanes of board {board}"),
}  # fmt: skip
KINDS: Final = {
    **{name: kind for name, (kind, _) in TIMELINE.items()},
    "task_status_changed": "ticket.updated, ticket.closed (merged, invalid)",
    "project": "project.created, project.updated, project.deleted",
    "project_group": "projectgroup.created, projectgroup.updated, projectgroup.deleted",
}

_RIGHTS: Final = "who may do what is about people and access, not about what happens in the project"
_TOLD: Final = "a timeline_event of its own says the same, and more"
IGNORED: Final = {
    "story": _TOLD,
    "task": _TOLD,
    "comment": _TOLD,
    "subscription": "what somebody reads is nobody else's matter",
    "user": _RIGHTS,
    "team": _RIGHTS,
    "worklist_permission_created": _RIGHTS,
    "worklist_permissions_changed": _RIGHTS,
    "board_permission_created": _RIGHTS,
    "board_permissions_changed": _RIGHTS,
    "may-be-private": "notifications do not say whether a story is private: set all_stories_public, "
    "or read the REST API",
}
