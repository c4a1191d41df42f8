"""Keys: the tables of what each kind of document, step and trigger may hold.

Here belong the tables; they are checked (`shapes`), exported for editors (`schema`), and printed in
docs/spec/processes.md in the same words. What keys mean together is `compiler.validate`'s to say.
"""

from __future__ import annotations

from typing import Any, Final

from context_plane.processes.language.cron import CronShape, ZoneShape
from context_plane.processes.language.documents import ContextSource, GateUse, RequiredStep, StepSource, TriggerSource
from context_plane.processes.language.items import (
    Arguments,
    Inheriting,
    InputShape,
    Match,
    Needs,
    SimpleGate,
    declared,
)
from context_plane.processes.language.scalars import DOTTED, NAME, Anything, Boolean, Duration, Number, OneOf, Text
from context_plane.processes.language.shapes import ByWord, Either, Key, ListOf, MapOf, OneOrMany, Record, Taken
from context_plane.processes.language.types import TYPES
from context_plane.processes.linked import Dispatch, Retries, Trigger

_LIKE: Final = "up to 63 of a-z, 0-9 and _, beginning with a letter"
PLAIN_NAME: Final = Text(pattern=NAME, like=_LIKE)
DOTTED_NAME: Final = Text(pattern=DOTTED, like=f"{_LIKE}; parts may be divided by dots")
TEXT: Final = Text()
WORD: Final = Text(1)
VERSION: Final = Number("bad-version", 1)


def _gate(taken: Taken) -> GateUse:
    values = taken.values
    return GateUse(values["gate"], taken.spot, values.get("inputs", {}), values.get("description", ""))


def _step(taken: Taken) -> StepSource:
    return StepSource(spot=taken.spot, faulty=taken.faulty, **taken.values)


def _required(taken: Taken) -> RequiredStep:
    return RequiredStep(taken.values["id"], taken.values.get("description", ""), taken.spot)


def _trigger(taken: Taken) -> TriggerSource:
    return TriggerSource(Trigger(**taken.values), taken.spot)


INPUT: Final = Record(
    "declared input",
    {
        "type": Key(OneOf(TYPES), "what it is: text, number, integer, boolean, list, mapping or any"),
        "default": Key(Anything(), "its value where none is given; without one it is required", nullable=True),
        "description": Key(TEXT, "what it means"),
    },
    declared,
)  # fmt: skip
INPUTS: Final = MapOf(InputShape(INPUT), pattern=NAME, nullable=True)
_VALUES: Final = MapOf(Anything(), nullable=True)

GATE_USE: Final = Record(
    "gate of a process or step",
    {
        "gate": Key(WORD, "its name", required=True),
        "inputs": Key(_VALUES, "what it takes: values, with references"),
        "description": Key(TEXT, "why it stands here"),
    },
    _gate,
    essential=("gate",),
)
GATES: Final = Inheriting(Either(GATE_USE, SimpleGate()), "gates", "removed-gate")

RETRIES: Final = Record(
    "`retries`",
    {
        "max": Key(Number("bad-retries", 0, 100), "how often the step is tried again"),
        "delay": Key(Duration(zero=True), "time before the first repetition; 1 s by default"),
        "backoff": Key(
            Number("bad-retries", 1, 100, whole=False), "the factor from one delay to the next; 2 by default"
        ),
    },
    lambda taken: Retries(**{"max": 1} | taken.values),
)


class _Retries(Either):
    """A number of repetitions, or more about them."""

    def read(self, value: Any, spot: Any, report: Any, label: str) -> Any:
        got = super().read(value, spot, report, label)
        return Retries(got) if type(got) is int else got


CONTEXT: Final = Record(
    "`context`",
    {
        "needs": Key(Needs(), "what it is made of"),
        "budget": Key(Number("bad-budget", 1, 1_000_000), "how many tokens it may have; 2,000 by default"),
    },
    lambda taken: ContextSource(**taken.values),
)
MODEL: Final = Record(
    "`model`",
    {
        "capabilities": Key(ListOf(WORD), "what it must be able to do"),
        "sensitivity": Key(
            OneOf(("public", "internal", "restricted")),
            "how sensitive what it is shown is; restricted data goes to local models only. internal by default",
        ),
        "speed": Key(OneOf(("fast", "normal")), "whether a fast model is wanted; normal by default"),
        "max_cost": Key(Number("bad-value", 0, 10_000, whole=False), "US dollars that one call may cost"),
    },
    lambda taken: taken.values,
)

EVENT: Final = Record(
    "event trigger",
    {
        "type": Key(WORD, "event: a run starts with an event", required=True),
        "match": Key(Match(), "what the event must be like", required=True),
        "tenants": Key(ListOf(WORD, least=1), "only for these tenants"),
    },
    _trigger,
    essential=("type", "match"),
)
SCHEDULE: Final = Record(
    "schedule trigger",
    {
        "type": Key(WORD, "schedule: a run starts at certain times", required=True),
        "cron": Key(CronShape(), "the times: minute, hour, day of month, month, day of week", required=True),
        "timezone": Key(ZoneShape(), "where these are the times; UTC by default"),
        "tenants": Key(ListOf(WORD, least=1), "only for these tenants"),
    },
    _trigger,
    essential=("type", "cron"),
)
MANUAL: Final = Record(
    "manual trigger",
    {"type": Key(WORD, "manual: a run starts when somebody starts it", required=True)},
    _trigger,
    essential=("type",),
)
TRIGGERS: Final = OneOrMany(ByWord("type", {"event": EVENT, "schedule": SCHEDULE, "manual": MANUAL}))

DISPATCH: Final = Record(
    "`dispatch`",
    {
        "when": Key(Match(empty=True), "what the event, or the inputs of a caller, must be like"),
        "preference": Key(Number("bad-value", -1_000_000, 1_000_000), "of several that fit the highest runs"),
    },
    lambda taken: Dispatch(**taken.values),
)

STEP: Final = Record(
    "step",
    {
        "id": Key(PLAIN_NAME, "its name, unique in the process", required=True),
        "action": Key(WORD, "a registered action"),
        "run": Key(
            Arguments(),
            "instead of `action`: a command as a list of texts. There is no shell; references are filled in inside an "
            "argument and never divide it",
        ),
        "description": Key(TEXT, "what the step is for; the goal of its context"),
        "gates": Key(GATES, "gates before this step"),
        "inputs": Key(_VALUES, "what the action takes: values, with references"),
        "timeout": Key(Duration(), "`30s`, `5m`, `1h`, `500ms`, or a number of seconds"),
        "retries": Key(
            _Retries(RETRIES, Number("bad-retries", 0, 100)),
            "a number, or `{max, delay, backoff}` (`delay` as `timeout`; `backoff` is the factor from one delay to the "
            "next)",
        ),
        "context": Key(CONTEXT, "`{needs: […], budget: TOKENS}`; see below"),
        "model": Key(
            MODEL,
            "what a model must be like: `{capabilities: […], sensitivity: public\\|internal\\|restricted, speed: "
            "fast\\|normal, max_cost: USD}`; what it does not say the action's says",
        ),
        "breakpoint": Key(Boolean(), "`true`: the run pauses before the step"),
        "abstract": Key(
            Boolean(), "`true`: a child must replace it; only in an abstract process. It needs no `action`"
        ),
        "sealed": Key(Boolean(), "`true`: a child cannot replace it"),
        "before": Key(WORD, "a step of the parent, or one inserted here, before which a new step goes"),
        "after": Key(WORD, "the same, after which it goes"),
    },
    _step,
    essential=("id",),
)

REQUIRED_STEP: Final = Record(
    "required step",
    {"id": Key(PLAIN_NAME, "its name", required=True), "description": Key(TEXT, "what it is for")},
    _required,
    essential=("id",),
)
