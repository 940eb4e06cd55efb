"""Weblate's vocabulary as tables: what each change action means, and what is left out and why.

Nothing here reads a payload. Known are all actions of Weblate 5.17 ("Change actions"), under the names that
an English Weblate sends. An action is (kind, what somebody did); a failure or an alert has no somebody.
"""

from __future__ import annotations

from typing import Final

_STRING: Final = {
    "Translation changed": "changed a translation",
    "Translation added": "added a translation",
    "Translation reverted": "reverted a translation",
    "Translation replaced": "replaced a translation",
    "Translation approved": "approved a translation",
    "Marked for edit": "marked a translation for edit",
    "Automatically translated": "translated automatically",
    "Suggestion accepted": "accepted a suggestion",
    "Bulk status changed": "changed the status of strings",
    "Applied enforced check": "applied an enforced check",
    "Propagated change": "changed a translation elsewhere, which was propagated",
    "String updated in the repository": "updated a string in the repository",
    "String updated in the upload": "updated a string by upload",
    "Translation uploaded": "uploaded translations",
    "Translation replaced file by upload": "replaced the file",
    "Translation updated by source upload": "updated the translation by source upload",
    "File uploaded": "uploaded a file",
    "Explanation updated": "updated an explanation",
    "Extra flags updated": "updated extra flags",
    "Label added": "added a label",
    "Label removed": "removed a label",
    "Resource updated": "updated the resource",
}
_SOURCE_TEXT: Final = {
    "Source string added": "added a source string",
    "Source string changed": "changed a source string",
    "String added": "added a string",
    "String added in the repository": "added a string in the repository",
    "String added in the upload": "added a string by upload",
    "String removed": "removed a string",
}
_REPOSITORY: Final = {
    "Changes committed": "committed changes",
    "Repository reset": "reset the repository",
    "Repository merged": "merged the repository",
    "Repository rebased": "rebased the repository",
    "Component locked": "locked the component",
    "Component unlocked": "unlocked the component",
    "Component renamed": "renamed the component",
    "Moved component": "moved the component",
    "License changed": "changed the license",
    "Contributor license agreement changed": "changed the contributor agreement",
    "Category renamed": "renamed a category",
    "Category moved": "moved a category",
    "Category removed": "removed a category",
}
FAILURES: Final = {
    "Repository merge failed": "the repository could not be merged",
    "Repository rebase failed": "the repository could not be rebased",
    "Repository push failed": "the repository could not be pushed",
    "Parsing failed": "a file could not be parsed",
    "Saving string failed": "a string could not be saved",
    "Alert triggered": "an alert was triggered",
}
"""What goes wrong. Nobody did it."""

ACTIONS: Final[dict[str, tuple[str, str]]] = {
    **{action: ("translation.updated", words) for action, words in {**_STRING, **_SOURCE_TEXT}.items()},
    **{action: ("component.updated", words) for action, words in _REPOSITORY.items()},
    **{action: ("incident.detected", words) for action, words in FAILURES.items()},
    "Translation completed": ("translation.finished", "completed the translation"),
    "Component translation completed": ("translation.finished", "completed all translations"),
    "Translation removed": ("translation.deleted", "removed the translation"),
    "Language added": ("translation.created", "added a language"),
    "Language requested": ("translation.requested", "requested a language"),
    "Suggestion added": ("suggestion.created", "suggested a translation"),
    "Suggestion removed": ("suggestion.deleted", "removed a suggestion"),
    "Suggestion removed during cleanup": ("suggestion.deleted", "removed a suggestion in a clean-up"),
    "Comment added": ("comment.added", "commented"),
    "Comment resolved": ("comment.updated", "resolved a comment"),
    "Comment removed": ("comment.deleted", "removed a comment"),
    "Changes pushed": ("branch.updated", "pushed translations"),
    "Component created": ("component.created", "created the component"),
    "Component removed": ("component.deleted", "removed the component"),
    "Project created": ("project.created", "created the project"),
    "Project removed": ("project.deleted", "removed the project"),
    "Project renamed": ("project.updated", "renamed the project"),
    "Announcement posted": ("announcement.published", "posted an announcement"),
    "Contributor joined": ("contributor.joined", "contributed for the first time"),
}

_PEOPLE: Final = "who may do what is about people and access, not about what happens in the project"
_SETUP: Final = "set-up of the platform, not what happens in the project"
_UPKEEP: Final = "the platform's own upkeep"

IGNORED: Final = {
    "Add-on configuration changed": _SETUP,
    "Add-on installed": _SETUP,
    "Add-on uninstalled": _SETUP,
    "Font changed": _SETUP,
    "Font removed": _SETUP,
    "Font uploaded": _SETUP,
    "Forced rescan of translations": _UPKEEP,
    "Forced synchronization of translations": _UPKEEP,
    "Repository cleanup": _UPKEEP,
    "Repository notification received": "says only that the forge told Weblate of a push",
    "Screenshot added": _SETUP,
    "Screenshot removed": _SETUP,
    "Screenshot uploaded": _SETUP,
    "User added": _PEOPLE,
    "User invited": _PEOPLE,
    "User removed": _PEOPLE,
    "Visibility changed": _PEOPLE,
}
