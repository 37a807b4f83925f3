"""How long work waits and reports without knowing who asked for it."""

from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[None]]
"""Sleeps that many seconds; raises when the caller cancelled."""

Report = Callable[[str], None]
"""Takes a line for people that replaces the one before."""
