"""The errors that travel between rooms: who raises them, who catches them.

No other module invents a base class. A docstring here is also the default text of the error, so that an error
raised without words still explains itself.
"""

from __future__ import annotations


class FirehoseError(Exception):
    """Something went wrong in Firehose."""

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or (type(self).__doc__ or "").split("\n")[0]
        super().__init__(self.detail)


def words(error: BaseException) -> str:
    """An error of somebody else's code in one line of 300 characters: what the system says without its number, else
    the class and the text."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:300]
    text = str(error)
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


class Refused(FirehoseError):
    """The request is not acceptable as it stands.

    Raised by intake, sources and the web for what the *sender* did wrong; caught at the door (HTTP, MQTT), which
    answers `status` with an RFC 9457 problem. `slug` is the stable word of the problem (`bad-signature`), `field`
    the path of the offending field, "" if none, `extra` more members of the problem object.
    """

    def __init__(
        self,
        detail: str = "",
        *,
        slug: str = "refused",
        status: int = 400,
        field: str = "",
        extra: dict[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.status = status
        self.field = field
        self.extra = extra or {}


class UnknownKind(FirehoseError):
    """The sender's kind of event is neither mapped nor on the source's list of ignored kinds.

    Raised by sources, caught by the gate, which quarantines the delivery under `kind`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(f"no mapping for {kind!r}, and it is not on the list of ignored kinds")
        self.kind = kind


class TryLater(FirehoseError):
    """Not possible now, the same request will work later.

    Raised by bus, history and sinks; caught by whoever can wait (`after` in seconds), and at the HTTP door, which
    answers 503 with `Retry-After`.
    """

    def __init__(self, detail: str = "", *, after: float = 5.0) -> None:
        super().__init__(detail)
        self.after = after


class GiveUp(FirehoseError):
    """This message will never be taken, whatever the number of attempts.

    Raised by sinks, caught by the delivery loop, which moves the message to the dead letters.
    """


class Gone(FirehoseError):
    """The receiver wants nothing any more, for good.

    Raised by sinks (HTTP 410), caught by the delivery loop, which keeps the message and switches the sink off until
    an operator switches it on again.
    """


class SlowDown(FirehoseError):
    """The receiver takes no more at the moment.

    Raised where a bounded buffer is full; caught by the producer, which waits `after` seconds.
    """

    def __init__(self, detail: str = "", *, after: float = 1.0) -> None:
        super().__init__(detail)
        self.after = after


class Broken(FirehoseError):
    """Firehose's own data or set-up is wrong; stopping is safer than going on.

    Raised where an invariant of ours does not hold or the settings cannot work; caught only by the command line,
    which prints the text and ends with `code` (2: settings, 3: data, 4: environment).
    """

    def __init__(self, detail: str = "", *, code: int = 3) -> None:
        super().__init__(detail)
        self.code = code
