"""The load-test gate: decides whether a revision may take traffic. Imports no Pulumi.

Everything named here is safe to import anywhere. `run` lives in `tidegate.gate.run`, which loads
Locust and thereby patches the process; use `python -m tidegate.gate.runner` from other programs.
"""

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
