"""Lives on Gerrit and Zuul: a change from upload to merge, its checks and gate, releases, nightly runs.

Generators over the world's state: each yields what happens and how long it waits. Who reviews whom, what fails and
what is tried again is chance; the order of steps is what the services do.
"""

from __future__ import annotations

from firehose.simulator import forge_lives
from firehose.simulator.cast import COMMENTS, NODES, PROJECTS, ZUUL, Person, Project
from firehose.simulator.happening import NodeStep, RefUpdate, Report, Review
from firehose.simulator.state import Build, Change, Item
from firehose.simulator.world import DAY, Life, World, pace

LOGS = "https://logs.lumen.example"
LIFETIME = 6_000.0
"""Seconds in which most changes come and go, at tempo 1."""
ZEROS = "0" * 40


def populate(world: World) -> None:
    """Start everything that keeps a world going."""
    world.spawn(arrivals(world))
    world.spawn(nightly(world), after=3 * 3_600.0 / world.tempo)


def busy(seed: int, rate: float, time: float) -> World:
    """A world for load: its first lives lie so far back that at `time` all stages of life are met at once."""
    crowd, tempo = pace(rate)
    world = World(seed, time - LIFETIME / tempo, crowd=crowd, tempo=tempo)
    populate(world)
    return world


def arrivals(world: World) -> Life:
    """New lives, one after another, without end."""
    while True:
        dice = world.chance.random()
        if dice < 0.62:
            project = world.project("gerrit")
            world.spawn(life_of_change(world, world.change(project, world.person(project))))
        elif dice < 0.63:
            world.spawn(release(world, world.project("gerrit")))
        else:
            world.spawn(forge_lives.some(world))
        yield world.gap()


def life_of_change(world: World, change: Change) -> Life:
    """From the first patch set to merged or abandoned."""
    yield from uploaded(world, change)
    if change.wip:
        yield world.pause(1_500)
        change.wip = False
        yield Review(time=world.now, what="wip-state-changed", change=change, who=change.owner)
    while len(change.patch_sets) < 6:
        yield from reviewed(world, change)
        while change.checking:
            yield world.pause(60)
        if change.verified > 0 and not any(value < 0 for value in change.votes.values()):
            yield from approved(world, change)
            if change.status == "MERGED":
                return
        elif change.verified < 0 and world.chance.random() < 0.3:
            yield from said(world, change, change.owner, "recheck unrelated failure")
            world.spawn(checked(world, change))
            continue
        if world.chance.random() < 0.05:
            break
        yield world.pause(900)
        world.patch_set(change, change.owner)
        yield from uploaded(world, change)
    change.status = "ABANDONED"
    world.open.pop(change.number, None)
    yield Review(time=world.now, what="change-abandoned", change=change, who=change.owner, comment="Superseded.")


def uploaded(world: World, change: Change) -> Life:
    """A patch set arrives; its checks begin."""
    ref = f"refs/changes/{change.number % 100:02d}/{change.number}/{change.last.number}"
    yield RefUpdate(
        time=world.now, project=change.project, ref=ref, old=ZEROS, new=change.last.revision, who=change.last.uploader
    )
    yield Review(time=world.now, what="patchset-created", change=change, who=change.last.uploader)
    if change.topic and change.last.number == 1 and world.chance.random() < 0.15:
        old, change.topic = change.topic, f"{change.topic}-2"
        yield Review(time=world.now, what="topic-changed", change=change, who=change.owner, old=old)
    world.spawn(checked(world, change), after=world.pause(8))


def checked(world: World, change: Change) -> Life:
    """The check pipeline, and what Zuul then says on the change."""
    change.checking = True
    item = new_item(world, "check", [change])
    yield from run(world, item, change.project.jobs, 0.86)
    yield world.pause(1)
    change.verified = 1 if item.result == "SUCCESS" else -1
    yield from verdict(world, change, item, change.verified)
    change.checking = False


def verdict(world: World, change: Change, item: Item, vote: int) -> Life:
    """Zuul's comment with its vote."""
    ended = "succeeded" if vote > 0 else "failed"
    lines = [
        f"- {build.job} {build.log_url} : {build.result}"
        + f" in {int(build.end - build.start) // 60}m {int(build.end - build.start) % 60:02d}s"
        for build in item.builds
    ]
    text = f"Build {ended} ({item.pipeline} pipeline).\n" + "\n".join(lines)
    yield from said(world, change, ZUUL, text, ("Verified", vote))


def reviewed(world: World, change: Change) -> Life:
    """A few people look at it."""
    for _ in range(world.chance.choice((1, 1, 2, 2, 3))):
        yield world.pause(700)
        who = world.person(change.project, not_=change.owner)
        if who not in change.reviewers and world.chance.random() < 0.4:
            change.reviewers.append(who)
            yield Review(time=world.now, what="reviewer-added", change=change, who=change.owner, reviewer=who)
        dice = world.chance.random()
        if dice < 0.25:
            yield from said(world, change, who, remark(world))
        else:
            vote = -1 if dice < 0.42 else 2 if who.core and dice > 0.7 else 1
            yield from said(world, change, who, remark(world), ("Code-Review", vote))


def remark(world: World) -> str:
    """What a reviewer writes; no two are the same."""
    return f"{world.chance.choice(COMMENTS)} (line {world.chance.randrange(2, 99_999)})"


def said(world: World, change: Change, who: Person, text: str, vote: tuple[str, int] | None = None) -> Life:
    """A comment, with a vote or without."""
    votes = []
    if vote is not None:
        label, value = vote
        votes.append((label, value, change.votes.get((who.username, label), 0)))
        change.votes[who.username, label] = value
    yield Review(time=world.now, what="comment-added", change=change, who=who, comment=text, votes=tuple(votes))


def approved(world: World, change: Change) -> Life:
    """Two core reviewers, then the gate, as often as it takes."""
    core = change.owner
    for _ in range(2):
        yield world.pause(400)
        core = world.person(change.project, core=True, not_=core)
        yield from said(world, change, core, remark(world), ("Code-Review", 2))
    yield from said(world, change, core, "", ("Workflow", 1))
    for _ in range(3):
        others = [c for c in world.open.values() if c.topic and c.topic == change.topic and c.verified > 0]
        circle = [c for c in others if c is not change and c.project is not change.project][:1]
        item = new_item(world, "gate", [change, *(circle if world.chance.random() < 0.1 else [])])
        yield from run(world, item, change.project.jobs, 0.9)
        if item.result == "SUCCESS":
            yield from merged(world, change, item)
            return
        yield from verdict(world, change, item, -2)
        yield world.pause(600)
        yield from said(world, change, change.owner, "recheck")


def merged(world: World, change: Change, item: Item) -> Life:
    """Zuul merges; the branch moves; post jobs and sometimes a revert follow."""
    yield from verdict(world, change, item, 2)
    project = change.project
    old, world.heads[project.name] = world.heads[project.name], change.last.revision
    change.status = "MERGED"
    world.open.pop(change.number, None)
    yield Review(time=world.now, what="change-merged", change=change, who=ZUUL)
    yield RefUpdate(
        time=world.now, project=project, ref=f"refs/heads/{project.branch}", old=old, new=change.last.revision, who=ZUUL
    )
    if world.chance.random() < 0.5:
        world.spawn(on_branch(world, project, "post", ("publish-docs",)), after=world.pause(20))
    if not change.subject.startswith("Revert") and world.chance.random() < 0.03:
        revert = world.change(project, world.person(project), f'Revert "{change.subject}"')
        world.spawn(life_of_change(world, revert), after=world.pause(2_000))


def on_branch(world: World, project: Project, pipeline: str, jobs: tuple[str, ...]) -> Life:
    """A pipeline for a branch."""
    item = new_item(world, pipeline, [], project, f"refs/heads/{project.branch}")
    yield from run(world, item, jobs, 0.95)


def nightly(world: World) -> Life:
    """Periodic jobs, once a day for every project."""
    while True:
        for project in PROJECTS:
            if project.host == "gerrit":
                world.spawn(on_branch(world, project, "periodic", project.jobs[:3]), after=world.pause(120))
        yield float(DAY) / world.tempo


def release(world: World, project: Project) -> Life:
    """A tag, and the release pipeline with what it publishes."""
    tag = f"{world.chance.randrange(3, 9)}.{world.number(f'release {project.name}') % 50}.0"
    sha = world.heads[project.name]
    who = world.person(project, core=True)
    yield RefUpdate(time=world.now, project=project, ref=f"refs/tags/{tag}", old=ZEROS, new=sha, who=who)
    yield world.pause(15)
    item = new_item(world, "release", [], project, f"refs/tags/{tag}")
    yield from run(world, item, ("release-wheel", "announce-release"), 0.98)


def new_item(world: World, pipeline: str, changes: list[Change], project: Project | None = None, ref: str = "") -> Item:
    """A queue item that has not been reported yet."""
    revision = changes[0].last.revision if changes else world.heads[project.name] if project else ""
    return Item(
        uuid=world.uuid(),
        buildset=world.uuid(),
        event=world.uuid(),
        pipeline=pipeline,
        enqueued=world.now,
        changes=changes,
        project=project,
        ref=ref,
        revision=revision,
    )


def run(world: World, item: Item, jobs: tuple[str, ...], luck: float) -> Life:
    """An item's way through its pipeline: enqueued, a node, started, builds, the result."""
    yield Report(time=world.now, action="enqueue", item=item)
    label, region = world.chance.choice(NODES)
    number = world.number("node")
    node = f"{label}-{number:010d}"
    yield world.pause(40)
    yield NodeStep(time=world.now, step="ready", node=node, label=label, region=region, item=item, number=number)
    yield Report(time=world.now, action="start", item=item)
    yield world.pause(5)
    begin = world.now
    item.builds = [build(world, item, job, begin) for job in jobs]
    if world.chance.random() > luck:
        fail(world, item)
    yield max(b.end for b in [*item.builds, *item.retried]) - begin
    if world.chance.random() < 0.03:
        item.result = "DEQUEUED"
        for unfinished in item.builds[len(item.builds) // 2 :]:
            unfinished.result = ""
        yield Report(time=world.now, action="dequeue", item=item)
    else:
        item.result = "FAILURE" if any(b.voting and b.result != "SUCCESS" for b in item.builds) else "SUCCESS"
        yield Report(time=world.now, action=item.result.lower(), item=item)
    yield world.pause(20)
    yield NodeStep(time=world.now, step="deleted", node=node, label=label, region=region, item=item, number=number)


def build(world: World, item: Item, job: str, begin: float) -> Build:
    """A build that will succeed; integrated jobs take longer than linters."""
    usual = 120 if job in ("linters", "docs", "config-check") else 420 if job.startswith("unit") else 900
    uuid = world.uuid()
    start = begin + world.pause(10)
    return Build(
        job=job,
        uuid=uuid,
        voting=job != "multinode",
        start=start,
        end=start + world.pause(usual),
        result="SUCCESS",
        log_url=f"{LOGS}/{uuid[:3]}/{item.pipeline}/{job}/{uuid[:7]}/",
    )


def fail(world: World, item: Item) -> None:
    """Something goes wrong: mostly one build, sometimes its node, which is tried again."""
    broken = world.chance.choice(item.builds)
    dice = world.chance.random()
    broken.result = "FAILURE" if dice < 0.7 else "TIMED_OUT" if dice < 0.85 else "POST_FAILURE"
    if dice > 0.9:
        again = build(world, item, broken.job, broken.end)
        broken.result = "RETRY"
        item.retried.append(broken)
        item.builds[item.builds.index(broken)] = again
