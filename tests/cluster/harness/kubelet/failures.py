"""Errors of the stand-in itself: nobody awaits its tasks."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

LOGGER = logging.getLogger(__name__)


def log_failure(task: asyncio.Task[Any]) -> None:
    """As a task's callback: write down what ended it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        LOGGER.error("the stand-in kubelet failed", exc_info=error)
