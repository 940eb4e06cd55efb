"""Who and what there is in the simulated world: people, projects, jobs, and the words that titles are made of.

Data only; every name is invented. The project is `lumen`, a cloud of about twenty repositories on a Gerrit, with a
GitHub organisation, a Forgejo and a GitLab beside it.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Person(msgspec.Struct, frozen=True):
    """Somebody with an account everywhere. `core` may approve; `home` are the projects that they work on."""

    username: str
    name: str
    home: tuple[str, ...]
    core: bool = False

    @property
    def email(self) -> str:
        """An address that must never show up on a public stream."""
        return f"{self.username}@lumen.example"


class Project(msgspec.Struct, frozen=True):
    """A repository. `host` is `gerrit`, `github`, `forgejo` or `gitlab`; `jobs` are what its check pipeline runs."""

    name: str
    host: str = "gerrit"
    branch: str = "master"
    jobs: tuple[str, ...] = ()
    part: str = ""


_CORE: Final = ("linters", "docs", "unit-py311", "unit-py312")
_SERVICE: Final = (*_CORE, "functional", "integrated-api", "integrated-storage", "integrated-network")
_BIG: Final = (*_SERVICE, "upgrade", "multinode", "live-migration", "tls-everywhere")

PROJECTS: Final = (
    Project("lumen/atlas", jobs=_BIG, part="compute scheduler"),
    Project("lumen/causeway", jobs=_BIG, part="network agent"),
    Project("lumen/quarry", jobs=_SERVICE, part="volume manager"),
    Project("lumen/harbor", jobs=_SERVICE, part="image store"),
    Project("lumen/beacon", jobs=_SERVICE, part="token cache"),
    Project("lumen/lantern", jobs=(*_CORE, "browser-tests", "a11y"), part="dashboard"),
    Project("lumen/tide", jobs=_SERVICE[:6], part="meter pipeline"),
    Project("lumen/anvil", jobs=_SERVICE, part="bare-metal conductor"),
    Project("lumen/cellar", jobs=_SERVICE[:7], part="object ring"),
    Project("lumen/keel", jobs=_CORE, part="configuration library"),
    Project("lumen/python-lumenclient", jobs=_CORE, part="client"),
    Project("lumen/requirements", jobs=("constraints-check", "unit-py312"), part="constraints"),
    Project("infra/zuul-jobs", jobs=("linters", "roles-test-jammy", "roles-test-bookworm"), part="role"),
    Project("infra/project-config", jobs=("linters", "config-check"), part="project list"),
    Project("infra/system-config", jobs=("linters", "run-review", "run-zuul", "run-mirror"), part="mirror"),
    Project("lumen-labs/lumen-ansible", host="github", branch="main", part="collection"),
    Project("lumen-labs/terraform-provider-lumen", host="github", branch="main", part="provider"),
    Project("lumen-labs/beacon-go", host="github", branch="main", part="token library"),
    Project("lumen-docs/handbook", host="forgejo", branch="main", part="handbook"),
    Project("lumen-community/website", host="gitlab", branch="main", part="website"),
)

_HOMES: Final = tuple(project.name for project in PROJECTS)
_NAMES: Final = (
    ("mira", "Mira Solberg"),
    ("jonas", "Jonas Weidt"),
    ("sana", "Sana Qureshi"),
    ("tomasz", "Tomasz Wilk"),
    ("akiko", "Akiko Arai"),
    ("bram", "Bram de Groot"),
    ("chidi", "Chidi Anane"),
    ("dalia", "Dalia Mansour"),
    ("elio", "Elio Ferrante"),
    ("freja", "Freja Dahl"),
    ("gita", "Gita Menon"),
    ("hugo", "Hugo Lacroix"),
    ("ines", "Inês Tavares"),
    ("jiho", "Jiho Kang"),
    ("kofi", "Kofi Adjei"),
    ("lena", "Lena Brandt"),
    ("mateo", "Mateo Rivas"),
    ("noor", "Noor Haddad"),
    ("oskar", "Oskar Nyman"),
    ("priya", "Priya Raman"),
    ("quentin", "Quentin Moreau"),
    ("rosa", "Rosa Ibarra"),
    ("stefan", "Stefan Ilić"),
    ("tuuli", "Tuuli Koski"),
    ("wanjiru", "Wanjiru Otieno"),
)

PEOPLE: Final = tuple(
    # Everybody knows three neighbouring projects, so that each has a handful of people who meet again and again.
    Person(username, name, tuple(_HOMES[(index * 3 + step) % len(_HOMES)] for step in range(3)), core=index % 3 == 0)
    for index, (username, name) in enumerate(_NAMES)
)
ZUUL: Final = Person("zuul", "Zuul", ())

VERBS: Final = ("Fix", "Add", "Remove", "Refactor", "Document", "Speed up", "Retry", "Deprecate", "Test", "Simplify")
THINGS: Final = (
    "handling of stale locks in the {part}",
    "timeout of the {part} on slow links",
    "unused options of the {part}",
    "a metric for queue depth in the {part}",
    "error text when the {part} has no quota left",
    "race between resize and delete in the {part}",
    "pagination in the {part}",
    "upgrade check for the {part}",
    "retry after a lost connection in the {part}",
    "default of max_retries in the {part}",
    "TLS option of the {part}",
    "type hints of the {part}",
)
TOPICS: Final = ("live-resize", "tls-everywhere", "py313", "drop-v1-api", "secure-defaults", "")
COMMENTS: Final = (
    "Looks good, one question inline.",
    "Please add a release note.",
    "I think the lock must be taken before the read.",
    "Nice cleanup, thank you.",
    "Can you split this in two?",
    "The test does not fail without the fix.",
    "Works for me on the two-node setup.",
)
ISSUES: Final = (
    "{part} crashes with an empty list",
    "{part} ignores the proxy settings",
    "Wrong example in the {part} documentation",
    "{part} is slow with more than 500 entries",
    "Feature request: dry run for the {part}",
    "{part} leaks file handles after a reload",
)
LABELS: Final = ("bug", "enhancement", "question", "good first issue")
NODES: Final = (("ubuntu-jammy", "north-1"), ("debian-bookworm", "north-2"), ("rocky-9", "coast-1"))
