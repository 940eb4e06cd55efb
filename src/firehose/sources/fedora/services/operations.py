"""The infrastructure itself: Ansible runs, monitoring, crash reports, the archive, translations.

In: messages below `ansible`, `nagios`, `faf`, `datanommer`, `zanata`. Out: their table.
"""

from __future__ import annotations

from typing import Any, Final

from firehose.sources.fedora.services.phrases import account
from firehose.sources.fedora.services.rules import Body, Table, rule

_ROOT: Final = "/srv/web/infra/ansible/"
_STATES: Final = {"CRITICAL": "down", "DOWN": "down", "WARNING": "having problems", "OK": "back up", "UP": "back up"}


def _playbook(m: Body) -> str:
    return m.need("playbook").removeprefix(_ROOT)


def _completed(m: Body) -> str:
    return f"{m.need('userid')}'s {m.need('playbook').rpartition('/')[2]} playbook run completed"


def _run_outcome(m: Body) -> str:
    bad = [host for host in m.keys("results") for word in ("failures", "unreachable")
           if m.at("results")[host][word].count() > 0]  # fmt: skip
    return "failure" if bad else "success"


def _run_link(m: Body) -> str:
    where = m.need("playbook")
    cgit = "http://infrastructure.fedoraproject.org/cgit/ansible.git/tree/"
    return cgit + _playbook(m) if where.startswith(_ROOT) else ""


def _acknowledged(m: Body) -> list[str]:
    return [account(name) for name in (m("service_ack_author"), m("host_ack_author")) if name]


def _nagios(m: Body) -> str:
    host, state = m.need("host"), _STATES.get(m("state"), "in an unknown state")
    line = f"{host} is {state}" if m.topic[1] == "host" else f"{m('service') or 'some service'} is {state} on {host}"
    if m("type") == "ACKNOWLEDGEMENT":
        line = f"{next(iter(_acknowledged(m)), 'somebody')} acknowledged that {line}"
    return f'{line}: "{m("output")}"' if m("output") else line


def _nagios_outcome(m: Body) -> str:
    return "success" if m("state") in ("OK", "UP") else "failure"


_NAGIOS: Final[dict[str, Any]] = {
    "people": _acknowledged,
    "about": lambda m: f"host/{m.need('host')}" + (f"/{m('service')}" if m("service") else ""),
    "project": "nagios",
    "outcome": _nagios_outcome,
}
_NAGIOS_LINK: Final = "https://admin.fedoraproject.org/nagios/cgi-bin/status.cgi?navbarsearch=1&host={host}"
_RUN: Final[dict[str, Any]] = {"people": "userid", "about": lambda m: f"playbook/{_playbook(m)}", "project": "ansible"}


def _problem(m: Body) -> str:
    return f"ABRT {_what(m)} for package {', '.join(m.names('components'))} has reached {m.need('count')} occurrences"


def _what(m: Body) -> str:
    return "report" if m.topic[1] == "report" else "problem"


_FAF: Final[dict[str, Any]] = {"people": "maintainers[]", "actor": "-", "packages": "components[]", "project": "faf"}
TABLE: Final[Table] = {
    "ansible.playbook.start": rule(
        "pipelinerun.started",
        lambda m: f"{m.need('userid')} started an ansible run of {_playbook(m)}",
        _run_link,
        **_RUN,
        outcome="running",
    ),
    "ansible.playbook.complete": rule("pipelinerun.finished", _completed, _run_link, **_RUN, outcome=_run_outcome),
    "nagios.host.state.change": rule("incident", _nagios, _NAGIOS_LINK, **_NAGIOS),
    "nagios.service.state.change": rule("incident", _nagios, _NAGIOS_LINK, **_NAGIOS),
    "faf.problem.*": rule("incident", _problem, "{url}", **_FAF, about="faf/problem/{problem_id}"),
    "faf.report.*": rule("incident", _problem, "{url}", **_FAF, about="faf/report/{report_id}"),
    "datanommer.wat": rule(
        "incident.detected",
        "datanommer encountered a duplicate uuid",
        "https://www.destroyallsoftware.com/talks/wat",
        project="datanommer",
    ),
    "zanata.document.milestone.event": rule(
        "translation.finished",
        lambda m: (
            f"{m.need('docId')} from the {m.need('project')} project is now {m('milestone').lower()} in the "
            f"'{m.need('locale')}' locale"
        ),
        "https://fedora.zanata.org/iteration/view/{project}/{version}/languages/{locale}",
        project="{project}",
        about="translation/{project}/{version}/{locale}",
    ),
}
