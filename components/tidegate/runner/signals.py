"""Being asked to end: an eviction, a node that is drained, a Job that is deleted."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


def run_until_signalled(work: Coroutine[Any, Any, int], exit_code: int) -> int:
    """Run to the end and return its result; after SIGTERM or SIGINT the work is cancelled, and
    `exit_code` is returned."""

    async def main() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return exit_code

    return asyncio.run(main())
