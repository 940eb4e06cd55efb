"""Lives on the forges: issues and pull (merge) requests on GitHub, Forgejo and GitLab, pushes, runs, releases.

Generators like those of `lives.py`. The three forges behave alike here; how each writes it down is for `forge_bytes`.
"""

from __future__ import annotations

from firehose.simulator.cast import COMMENTS, ISSUES, LABELS, Project
from firehose.simulator.happening import Post
from firehose.simulator.state import Ticket
from firehose.simulator.world import Life, World


def some(world: World) -> Life:
    """One more issue, request or release on one of the forges."""
    host = world.chance.choices(("github", "forgejo", "gitlab"), (6, 3, 2))[0]
    project = world.project(host)
    dice = world.chance.random()
    if dice < 0.5:
        return issue(world, project)
    return request(world, project) if dice < 0.95 else released(world, project)


def ticket(world: World, project: Project, *, merge: bool) -> Ticket:
    """A new issue or request."""
    title = world.title(project) if merge else world.chance.choice(ISSUES).format(part=project.part).capitalize()
    return Ticket(
        project=project,
        number=world.number(f"ticket {project.name}"),
        id=world.number("forge id"),
        title=title,
        author=world.person(project),
        created=world.now,
        merge=merge,
        label=world.chance.choice(LABELS),
        sha=world.sha(),
    )


def issue(world: World, project: Project) -> Life:
    """Opened, talked about, closed."""
    about = ticket(world, project, merge=False)
    yield Post(time=world.now, what="issue", action="opened", project=project, who=about.author, ticket=about)
    for _ in range(world.chance.randrange(0, 4)):
        yield world.pause(1_200)
        yield comment(world, about)
    if world.chance.random() < 0.6:
        yield world.pause(2_000)
        about.state = "closed"
        who = world.person(project, core=True)
        yield Post(time=world.now, what="issue", action="closed", project=project, who=who, ticket=about)


def comment(world: World, about: Ticket) -> Post:
    """Somebody says something."""
    return Post(
        time=world.now,
        what="comment",
        action="created",
        project=about.project,
        who=world.person(about.project),
        ticket=about,
        text=world.chance.choice(COMMENTS),
        number=world.number("forge id"),
    )


def request(world: World, project: Project) -> Life:
    """A pull or merge request: pushes, a run, a review, merged or closed."""
    about = ticket(world, project, merge=True)
    yield Post(time=world.now, what="merge", action="opened", project=project, who=about.author, ticket=about)
    yield from ran(world, about)
    if world.chance.random() < 0.4:
        yield world.pause(1_000)
        old, about.sha = about.sha, world.sha()
        yield Post(
            time=world.now, what="merge", action="updated", project=project, who=about.author, ticket=about, old=old
        )
        yield from ran(world, about)
    yield world.pause(800)
    core = world.person(project, core=True, not_=about.author)
    yield Post(
        time=world.now,
        what="review",
        action="approved",
        project=project,
        who=core,
        ticket=about,
        text=world.chance.choice(COMMENTS),
        number=world.number("forge id"),
    )
    yield world.pause(300)
    about.state, about.merged = "closed", world.chance.random() < 0.85
    action = "merged" if about.merged else "closed"
    yield Post(time=world.now, what="merge", action=action, project=project, who=core, ticket=about)
    if about.merged:
        old, world.heads[project.name] = world.heads[project.name], about.sha
        yield Post(
            time=world.now,
            what="push",
            action="pushed",
            project=project,
            who=core,
            text=about.title,
            sha=about.sha,
            old=old,
            number=world.number("forge id"),
        )


def ran(world: World, about: Ticket) -> Life:
    """The forge's own CI on a request."""
    number = world.number("forge id")
    yield world.pause(10)
    yield Post(
        time=world.now,
        what="run",
        action="requested",
        project=about.project,
        who=about.author,
        ticket=about,
        sha=about.sha,
        number=number,
    )
    yield world.pause(240)
    result = "success" if world.chance.random() < 0.85 else "failure"
    yield Post(
        time=world.now,
        what="run",
        action="completed",
        project=about.project,
        who=about.author,
        ticket=about,
        text=result,
        sha=about.sha,
        number=number,
    )


def released(world: World, project: Project) -> Life:
    """A release with its tag."""
    tag = f"v{world.chance.randrange(1, 4)}.{world.number(f'release {project.name}') % 60}.0"
    yield Post(
        time=world.now,
        what="release",
        action="published",
        project=project,
        who=world.person(project, core=True),
        text=tag,
        sha=world.heads[project.name],
        number=world.number("forge id"),
    )
