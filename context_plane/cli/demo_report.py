"""What `cortex demo` prints at its end: whom the agent contacts, the table, the proof. Every figure is of this run, but
for the two columns that say whose estimates they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from context_plane.cli.output import say, table
from context_plane.demo.figures import ARTICLE, CACHED_PRICE, INPUT_PRICE, PUBLISHED

if TYPE_CHECKING:
    from context_plane.demo.agent import Pick, Quality
    from context_plane.demo.figures import Change, Figures, Proof
    from context_plane.demo.story import Told

PICKS_SHOWN: Final = 4


def show(told: Told) -> None:
    """Prints the report of a run."""
    assert told.figures.quality is not None
    say()
    _picks(told.picks, told.figures.quality)
    say()
    _table(told.figures)
    say()
    _proof(told.proof)


def _picks(picks: Sequence[Pick], quality: Quality) -> None:
    say(f"The agent read the bundles and contacts {quality.picked:,} customers. The first of them:")
    for pick in picks[:PICKS_SHOWN]:
        say(f"  {pick.entity}: {'; '.join(pick.reasons)}")
        for sentence in pick.summary.splitlines():
            say(f"      {sentence}")
    say(
        f"Against the {quality.planted:,} planted candidates: precision {quality.precision:.0%},"
        f" recall {quality.recall:.0%} (picking at random: precision {quality.chance:.1%})"
    )


def _table(figures: Figures) -> None:
    header = ("", "at run time*", "context plane*", f"this run, {figures.customers:,} customers")
    rows = [(name, *PUBLISHED.get(name, ("", "")), value) for name, value in _measured(figures).items()]
    table(header, rows)
    say(f"* {ARTICLE}")
    say(f"  Costs at its prices: USD {INPUT_PRICE} a million input tokens, {CACHED_PRICE} where they are cached.")


def _measured(figures: Figures) -> dict[str, str]:
    reads, tokens, answers = figures.reads, figures.tokens, figures.answers
    assert reads is not None
    assert tokens is not None
    assert answers is not None
    bundles, cached, raw = (f"${dollars:,.4f}" for dollars in tokens.cost.values())
    return {
        "upstream calls": "0: reads touch the store only",
        "time for all reads": f"{reads.seconds:.3f} s, one call each; {reads.stream_seconds:.3f} s as a stream",
        "time of one read": f"p50 {reads.p50_us:.0f} µs, p99 {reads.p99_us:.0f} µs, warm",
        "reliability": f"{reads.count:,} of {reads.count + reads.failed:,} reads",
        "tokens": f"{tokens.total:,}: mean {tokens.mean:.0f}, max {tokens.max} a bundle",
        "tokens of raw events": f"{tokens.raw:,}: {tokens.raw / tokens.total:.1f} times as many",
        "context for a goal": f"{answers.milliseconds_mean:.0f} ms with its receipt durable, {answers.tokens_mean:.0f}"
        f" of {answers.budget} tokens",
        "input cost": f"{bundles}, cached {cached}",
        "cost of raw events": raw,
    }


def _proof(proof: Proof) -> None:
    size = f"{proof.removed_files:,} files, {proof.removed_bytes / 1e6:,.1f} MB"
    same = f"{proof.identical:,} of {proof.bundles:,}"
    unmoved = f"{proof.untouched_identical:,} of {proof.untouched:,}"
    say(f"The proof: {proof.late:,} late events came. Then everything but the log and its segments was deleted")
    say(f"({size}) and built again.")
    say(f"  {same} bundles of the first pass, read at their known_at, are byte-identical")
    say(f"  SHA-256 over all of them: {proof.sha256_before[:16]}… before, {proof.sha256_after[:16]}… after")
    say(f"  one bundle as of {proof.as_of}: {'byte-identical' if proof.as_of_identical else 'DIFFERENT'}")
    say(f"  {proof.replayed:,} of {proof.receipts:,} receipts replay: their text is rendered again from the log, equal")
    say(f"  {unmoved} customers without a late event have the same bundle at the new head")
    say(f"  {proof.changed:,} bundles changed there, by the late events of {proof.late:,} customers, such as")
    for change in proof.examples:
        say(f"    {change.entity}: {_change(change)}, by {', '.join(change.events)}")
    say("The proof holds." if proof.holds else "THE PROOF FAILED.")


def _change(change: Change) -> str:
    pairs = (f"{name} {_short(old)} -> {_short(new)}" for name, (old, new) in change.fields.items())
    return ", ".join(pairs) or "no field, only what it rests on"


def _short(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
