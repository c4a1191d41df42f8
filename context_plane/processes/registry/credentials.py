"""Credentials: what the well-known kinds look like.

Patterns are linear in the text that they are tried on: whoever writes a log must not be able to hold up the plane, and
matching lets no other thread run. What repeats is bounded, possessive, or begins only where nothing before it could
have been its beginning too.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Form(NamedTuple):
    """What a kind of credential looks like."""

    name: str
    hints: tuple[str, ...]
    """Texts without any of these hold none: looking for them is a hundred times faster than matching."""
    pattern: str


FORMS: Final = (
    Form(
        "private key",
        ("PRIVATE KEY-----",),
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[^-]|-(?!----END ))*"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?",
    ),
    Form("AWS access key", ("AKIA", "ASIA", "ABIA", "ACCA"), r"\bA(?:KI|SI|BI|CC)A[A-Z2-7]{16}\b"),
    Form("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    Form("GitHub token", ("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    Form("GitLab token", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{20,}"),
    Form("API key", ("sk-",), r"\bsk-(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{20,}"),
    Form("Slack token", ("xox",), r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    Form("Google API key", ("AIza",), r"\bAIza[A-Za-z0-9_-]{35}"),
    Form("Stripe key", ("k_live_", "k_test_"), r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    Form("Hugging Face token", ("hf_",), r"\bhf_[A-Za-z]{30,}\b"),
    Form("npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
    Form("PyPI token", ("pypi-",), r"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
    Form(
        "JWT",
        (".eyJ",),
        # From the beginning of a run, of which what is before the header is taken too: else each `-eyJ` in a long run
        # would be tried, and each try would read the run to its end.
        r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*?eyJ[A-Za-z0-9_-]{8})[A-Za-z0-9_-]++"
        r"\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+",
    ),
    Form(
        "credentials",
        ("earer ",),
        r"(?<=[Bb]earer )(?=[A-Za-z._~+/-]{0,60}[0-9=])[A-Za-z0-9._~+/-]{16,}=*",
    ),
    Form("credentials", ("asic ",), r"(?<=[Bb]asic )(?=[A-Za-z+/]{0,60}[0-9=])[A-Za-z0-9+/]{12,}={0,2}"),
    Form("name and password", ("://",), r"(?<=://)[^\s/:@?#\"']{1,256}:[^\s/@\"']{1,256}(?=@)"),
)
