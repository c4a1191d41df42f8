"""What a run of the demo measured, as values and as the JSON of `cortex demo --json`.

Nothing here is a constant but the prices and the estimates that others published, which say whose they are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from context_plane.demo.agent import Quality

INPUT_PRICE: Final = 1.75
CACHED_PRICE: Final = 0.175
"""USD for a million input tokens, as the article assumes."""

ARTICLE: Final = "Context Plane: A Point of View (4 March 2026), estimates for 10,000 customers"
PUBLISHED: Final = {
    "upstream calls": ("40,000", "0"),
    "time for all reads": ("3-8 h", "1-3 min"),
    "time of one read": ("1-3 s", "< 50 ms when warm"),
    "reliability": ("< 90 % at p99", "99.9 % at p99"),
    "tokens": ("500M - 2B", "0.5M - 2M"),
    "input cost": ("$930 - $3,600", "$0.05 - $0.20"),
}
"""What the article gives for assembling context at run time, and for a context plane."""


@dataclass(frozen=True)
class Reads:
    """Every customer's bundle read once through the façade, one call each."""

    count: int
    failed: int
    seconds: float
    p50_us: float
    p99_us: float
    stream_seconds: float
    """The same bundles in one pass over `bundles`."""


@dataclass(frozen=True)
class Tokens:
    """Exact o200k counts."""

    total: int
    mean: float
    max: int
    raw: int
    """Of the raw events of all customers, as JSON."""

    @property
    def cost(self) -> dict[str, float]:
        """USD of one question over all customers, at the article's prices."""
        million = 1_000_000
        return {
            "bundles": self.total * INPUT_PRICE / million,
            "bundles_cached": self.total * CACHED_PRICE / million,
            "raw_events": self.raw * INPUT_PRICE / million,
        }


@dataclass(frozen=True)
class Answers:
    """Contexts for a goal under a budget, through the façade."""

    count: int
    budget: int
    tokens_mean: float
    milliseconds_mean: float
    """Of one, with the receipt durably written."""


@dataclass(frozen=True)
class Change:
    """One customer whose bundle a late event changed."""

    entity: str
    events: tuple[str, ...]
    fields: dict[str, tuple[Any, Any]]
    """Before and after, where they differ."""


@dataclass(frozen=True)
class Proof:
    """What was deleted, built again, and compared."""

    removed_files: int
    removed_bytes: int
    bundles: int
    identical: int
    """Bundles of the first pass, read at their `known_at` after everything was built again."""
    sha256_before: str
    sha256_after: str
    untouched: int
    untouched_identical: int
    """Of the customers without a late event, the bundles at the head that are those of the first pass."""
    late: int
    changed: int
    explained: bool
    """Whether the bundles that changed are exactly those of the customers with a late event."""
    as_of: str
    as_of_identical: bool
    receipts: int
    replayed: int
    """Receipts whose text was rendered again with the bytes that were answered."""
    examples: tuple[Change, ...]

    @property
    def holds(self) -> bool:
        """Whether everything is as it was, and changed where it had to."""
        same = self.identical == self.bundles > 0 and self.sha256_before == self.sha256_after
        unmoved = self.untouched_identical == self.untouched and self.explained and self.as_of_identical
        return same and unmoved and self.replayed == self.receipts > 0


@dataclass
class Figures:
    """Everything of one run."""

    customers: int
    seed: int
    planted_rate: float
    home: str
    tenant: str
    found: bool
    events: int = 0
    commit: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    reads: Reads | None = None
    tokens: Tokens | None = None
    quality: Quality | None = None
    answers: Answers | None = None
    proof: Proof | None = None

    def to_json(self) -> dict[str, Any]:
        """As `cortex demo --json` prints it."""
        value = asdict(self)
        if self.tokens is not None:
            value["cost_usd"] = self.tokens.cost
        if self.proof is not None:
            value["proof"]["holds"] = self.proof.holds
        return value
