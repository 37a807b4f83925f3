"""The load-test gate: decides whether a revision may take traffic. Imports no Pulumi.

Everything named here is safe to import anywhere. `run` lives in `tidegate.gate.run`, which loads
Locust and thereby patches the process; use `python -m tidegate.gate.runner` from other programs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.gate.attempts import Attempt, attempts_of, record_attempt
    from tidegate.gate.judging import judge
    from tidegate.gate.profile import Profile, load_profile, override_profile
    from tidegate.gate.request import GateRequest
    from tidegate.gate.samples import Samples
    from tidegate.gate.validity import Context
    from tidegate.gate.verdict import Outcome, Verdict

__all__ = [
    "Attempt",
    "Context",
    "GateRequest",
    "Outcome",
    "Profile",
    "Samples",
    "Verdict",
    "attempts_of",
    "judge",
    "load_profile",
    "override_profile",
    "record_attempt",
]

_MODULES = {
    "Attempt": "attempts",
    "Context": "validity",
    "GateRequest": "request",
    "Outcome": "verdict",
    "Profile": "profile",
    "Samples": "samples",
    "Verdict": "verdict",
    "attempts_of": "attempts",
    "judge": "judging",
    "load_profile": "profile",
    "override_profile": "profile",
    "record_attempt": "attempts",
}


def __getattr__(name: str) -> Any:
    """Load a name on first use: the provider needs requests and verdicts, not the statistics."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
