"""The open-loop load generator of one process, on Locust.

One Locust user walks the schedule and never waits for an answer, so a slow server meets the same
arrivals as a fast one; what the generator cannot keep up with shows as lag, never as a slower
schedule. Locust's rounded statistics are not used: every request is kept as a raw sample.

Importing this module imports Locust, which monkey-patches the process: only the gate's worker
processes may do that.
"""

import gc
from collections.abc import Callable

import gevent
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from tidegate.gate.load_plan import LoadPlan
from tidegate.gate.walk import Walk


def generate(plan: LoadPlan, while_running: Callable[[Walk], None]) -> Walk:
    """Send the whole schedule and wait for every answer or its deadline.

    `while_running` is started in a greenlet and ended with the load.
    """
    walk = Walk(plan)

    class ScheduleUser(User):
        @task
        def walk_schedule(self) -> None:
            walk.begin()
            walk.finished.wait()
            raise StopUser

    environment = Environment(user_classes=[ScheduleUser])
    runner = environment.create_local_runner()
    # What exists now stays: the collector need not walk over it between requests.
    gc.collect()
    gc.freeze()
    beside = gevent.spawn(while_running, walk)
    runner.start(user_count=1, spawn_rate=1)
    try:
        walk.finished.wait()
    finally:
        beside.kill()
        runner.quit()
        walk.close()
    return walk
