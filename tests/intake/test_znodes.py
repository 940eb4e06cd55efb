"""What is known of a tree of znodes: paths, what is new and what is gone, and what is kept of it."""

from __future__ import annotations

from firehose.intake.znodes import PARTS, Listing, Memory, Tree, ordered, part_of
from firehose.source import Observed, Recall, Seen, Znodes

PATTERNS = ("/pool/nodes/*", "/pool/images/*/builds/*", "/pool/nodes/*/assignment")
WANT = Znodes("zk:2181", PATTERNS, lambda seen, kept, recall: told(seen, kept, recall))


def told(seen: Seen, kept: bytes, _recall: Recall) -> Observed:
    """A source that remembers how often it saw a znode."""
    if seen.data is None:
        return Observed(b"gone " + kept)
    count = int(kept or b"0") + 1
    return Observed(b"%d" % count, b"%d" % count)


def listing(path: str, *names: str, made: int = 0, czxid: int = 1) -> Listing:
    return Listing(path, frozenset(names), czxid, 90, made)


def again(memory: Memory, kept: dict[str, bytes]) -> Memory:
    """As after a restart."""
    kept.update(memory.changed())
    return Memory(kept)


def test_which_paths_count() -> None:
    tree = Tree(PATTERNS)
    assert tree.roots == ("/pool/images", "/pool/nodes")
    assert [tree.is_record(path) for path in ("/pool/nodes/1", "/pool/nodes", "/pool/images/x/builds/2")] == [
        True, False, True,
    ]  # fmt: skip
    assert [tree.has_more(path) for path in ("/pool/nodes/1", "/pool/images/x", "/pool/images/x/builds/2")] == [
        True, True, False,
    ]  # fmt: skip
    assert [tree.counts(f"/pool/nodes/1/{name}") for name in ("assignment", "lock")] == [True, False]


def test_a_znode_is_told_when_it_changed_and_never_twice() -> None:
    kept: dict[str, bytes] = {}
    memory = Memory({})
    first = Seen("/pool/nodes/1", b"{}", 5, 5)
    assert memory.news(first) == [first]
    assert memory.observe(first, WANT).body == b"1"
    memory = again(memory, kept)
    assert memory.news(first) == []
    later = Seen("/pool/nodes/1", b"{}", 5, 8)
    assert memory.news(later) == [later]
    assert memory.observe(later, WANT).body == b"2"
    assert memory.recall("/pool/nodes/1") == b"2"


def test_what_was_made_anew_ended_before() -> None:
    memory = Memory({})
    memory.observe(Seen("/pool/nodes/1", b"{}", 5, 5), WANT)
    new = Seen("/pool/nodes/1", b"{}", 20, 20)
    ended, begun = memory.news(new)
    assert (ended.data, ended.czxid, begun) == (None, 5, new)
    assert [memory.observe(one, WANT).body for one in (ended, begun)] == [b"gone 1", b"1"]


def test_a_name_that_is_gone_takes_along_what_was_below_it() -> None:
    kept: dict[str, bytes] = {}
    memory = Memory({})
    assert memory.listed(listing("/pool/nodes", "1", "2"), root=True) == ([], 0)
    for path, at in (("/pool/nodes/1", 5), ("/pool/nodes/1/assignment", 6), ("/pool/nodes/2", 7)):
        memory.observe(Seen(path, b"{}", at, at), WANT)
    memory = again(memory, kept)
    gone, _ = memory.listed(listing("/pool/nodes", "2"), root=True)
    assert [(at, path) for at, _, path in gone] == [(90, "/pool/nodes/1/assignment"), (90, "/pool/nodes/1")]
    for _, known, path in gone:
        memory.observe(Seen(path, None, known.czxid), WANT)
    memory = again(memory, kept)
    assert memory.listed(listing("/pool/nodes", "2"), root=True) == ([], 0)
    assert [path for _, _, path in memory.missing("/pool/nodes/2")] == ["/pool/nodes/2"]


def test_a_name_that_was_listed_and_never_read_is_gone_all_the_same() -> None:
    kept: dict[str, bytes] = {}
    memory = Memory({})
    memory.listed(listing("/pool/nodes", "1"), root=True)
    memory = again(memory, kept)  # the hub died before it had told of it
    gone, _ = memory.listed(listing("/pool/nodes"), root=True)
    assert [path for _, _, path in gone] == ["/pool/nodes/1"]


def test_what_came_and_went_unseen_is_counted() -> None:
    kept: dict[str, bytes] = {}
    memory = Memory({})
    assert memory.listed(listing("/pool/nodes", "1", made=7), root=True)[1] == 0  # the first look knows no past
    memory = again(memory, kept)
    assert memory.listed(listing("/pool/nodes", "1", "9", made=10), root=True)[1] == 2
    assert memory.listed(listing("/pool/nodes", "1", "9", made=10), root=True)[1] == 0
    assert memory.listed(listing("/pool/nodes", "3", made=1, czxid=44), root=True)[1] == 0  # another root
    assert memory.listed(listing("/pool/nodes/3", "assignment", made=5), root=False)[1] == 0


def test_a_change_writes_a_small_part() -> None:
    memory = Memory({})
    for number in range(200):
        memory.observe(Seen(f"/pool/nodes/{number}", b"{}", number + 1, number + 1), WANT)
    assert len(dict(memory.changed())) == PARTS
    memory.observe(Seen("/pool/nodes/7", b"{}", 8, 900), WANT)
    assert list(dict(memory.changed())) == [part_of("/pool/nodes/7")]
    assert list(memory.changed()) == []


def test_transactions_order_what_was_found() -> None:
    early, late = Seen("/a", b"", 1, 3), Seen("/b", b"", 2, 9)
    assert ordered([(9, late), (3, early)]) == [early, late]
