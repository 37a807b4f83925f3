"""The life of one container: start, probes, end, and again as its restart policy says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx2

from tests.cluster.harness.images import Image, ImagePullError
from tests.cluster.harness.kubelet.container_state import (
    ContainerState,
    ended,
    exit_code,
    running,
    waiting,
)
from tests.cluster.harness.kubelet.context import Sandbox
from tests.cluster.harness.kubelet.environment import (
    ConfigurationMissing,
    command_line,
    environment_of,
)
from tests.cluster.harness.kubelet.health import Health
from tests.cluster.harness.kubelet.manifest import Manifest, name_of, now
from tests.cluster.harness.kubelet.process import RunningContainer
from tests.cluster.harness.kubelet.sandbox import ContainerProcess, Mount
from tests.cluster.harness.kubelet.sources import read_sources
from tests.cluster.harness.kubelet.volumes import container_mounts

RETRY_SECONDS = 1.0
FIRST_BACK_OFF_SECONDS = 1.0
"""A tenth of a kubelet's."""
LONGEST_BACK_OFF_SECONDS = 300.0
MESSAGE_BYTES = 4096
LOG_MESSAGE_BYTES = 2048
DEFAULT_MESSAGE_PATH = "/dev/termination-log"


class Container:
    """`changed` is called whenever `state` is another one."""

    def __init__(
        self,
        specification: Manifest,
        restart_policy: str,
        sandbox: Sandbox,
        state: ContainerState,
        changed: Callable[[], None],
    ) -> None:
        self.state = state
        self.running: RunningContainer | None = None
        self.has_started = asyncio.Event()
        self._specification = specification
        self._restart_policy = restart_policy
        self._sandbox = sandbox
        self._changed = changed
        self._stopping = False
        self._cause: str | None = None
        self._health: Health | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self) -> None:
        """Returns when the container has ended for good."""
        pause = FIRST_BACK_OFF_SECONDS
        while True:
            image = await self._image()
            process = await self._process(image)
            code = await self._run_once(process)
            if self._stopping or not self._restarts_after(code):
                return
            self._set(
                state=waiting(
                    "CrashLoopBackOff", f"back-off {pause:g}s restarting failed container"
                ),
                last_state=self.state.state,
            )
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_BACK_OFF_SECONDS)
            self.state.restarts += 1

    async def stop(self, grace_seconds: float) -> None:
        """End it and do not start it again: preStop and SIGTERM share the grace."""
        self._stopping = True
        if self.running is None:
            return
        clock = asyncio.get_running_loop().time
        deadline = clock() + grace_seconds
        hook = self._specification.get("lifecycle", {}).get("preStop")
        if hook and self._health is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._health.handle(hook), grace_seconds)
        if self.running is not None:
            await self.running.stop(max(deadline - clock(), 0))
        await self._idle.wait()

    async def kill(self, reason: str) -> None:
        """SIGKILL; `reason` is what the kubelet would report, such as OOMKilled."""
        self._cause = reason
        if self.running is not None:
            await self.running.kill()

    async def _image(self) -> Image:
        reference = self._specification["image"]
        pause = FIRST_BACK_OFF_SECONDS
        while True:
            try:
                return self._sandbox.context.registry.image(reference)
            except ImagePullError as error:
                self._set(state=waiting("ErrImagePull", str(error)))
                await asyncio.sleep(RETRY_SECONDS)
                message = f'Back-off pulling image "{reference}": {error}'
                self._set(state=waiting("ImagePullBackOff", message))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_BACK_OFF_SECONDS)

    async def _process(self, image: Image) -> ContainerProcess:
        """What to start. Waits for ConfigMaps and Secrets that its environment needs."""
        sandbox, specification = self._sandbox, self._specification
        sources, context = sandbox.sources, sandbox.context
        while True:
            try:
                environment = environment_of(
                    sandbox.pod, specification, image, sources, context.environment
                )
                break
            except ConfigurationMissing as error:
                self._set(state=waiting("CreateContainerConfigError", str(error)))
                await asyncio.sleep(RETRY_SECONDS)
                with contextlib.suppress(httpx2.HTTPError):  # the API server may be away
                    sources = await read_sources(context.client, sandbox.pod)
        message_path = specification.get("terminationMessagePath", DEFAULT_MESSAGE_PATH)
        self._message_file.parent.mkdir(parents=True, exist_ok=True)
        self._message_file.write_bytes(b"")
        files = [Mount(source, target, True) for target, source in image.mounts.items()]
        security = specification.get("securityContext", {})
        return ContainerProcess(
            scratch=sandbox.folder / "root" / self.state.name,
            mounts=[
                *files,
                Mount(sandbox.hosts, "/etc/hosts"),
                Mount(sandbox.folder / "resolv.conf", "/etc/resolv.conf"),
                *container_mounts(sandbox.pod, specification, sandbox.places),
                Mount(self._message_file, message_path),
            ],
            environment=environment,
            command=command_line(specification, image, environment),
            host_name=name_of(sandbox.pod),
            working_directory=specification.get("workingDir", "/"),
            read_only_root=security.get("readOnlyRootFilesystem", False),
        )

    async def _run_once(self, process: ContainerProcess) -> int:
        log, started_at = self._sandbox.log(self.state.name), now()
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        self._cause = None
        self._idle.clear()
        prefix = self._sandbox.network.prefix()
        try:
            self.running = await RunningContainer.start(prefix, process, log)
            self._set(state=running())
            code = exit_code(await self._until_ended(self.running))
            message = self._message(code, log)
            terminated = ended(code, message, started_at, self._cause)
            self._set(state=terminated, ready=False, started=False)
        finally:
            self._idle.set()
        return code

    async def _until_ended(self, process: RunningContainer) -> int:
        self._health = Health(self._specification, self._sandbox, process)
        watching = asyncio.create_task(self._health.watch(self._set_health))
        try:
            return await process.wait()
        finally:
            watching.cancel()
            await process.kill()
            self.running = self._health = None

    def _restarts_after(self, code: int) -> bool:
        return self._restart_policy == "Always" or (
            self._restart_policy == "OnFailure" and code != 0
        )

    @property
    def _message_file(self) -> Path:
        return self._sandbox.folder / "messages" / self.state.name

    def _message(self, code: int, log: Path) -> str:
        message = self._message_file.read_bytes()[:MESSAGE_BYTES]
        policy = self._specification.get("terminationMessagePolicy")
        if not message and code != 0 and policy == "FallbackToLogsOnError":
            message = log.read_bytes()[-LOG_MESSAGE_BYTES:]
        return message.decode(errors="replace")

    def _set_health(self, started: bool, ready: bool) -> None:
        self._set(started=started, ready=ready)
        if started:
            self.has_started.set()

    def _set(
        self,
        *,
        state: Manifest | None = None,
        last_state: Manifest | None = None,
        ready: bool | None = None,
        started: bool | None = None,
    ) -> None:
        before = self.state.as_status()
        self.state.state = self.state.state if state is None else state
        self.state.last_state = self.state.last_state if last_state is None else last_state
        self.state.ready = self.state.ready if ready is None else ready
        self.state.started = self.state.started if started is None else started
        if self.state.as_status() != before:
            self._changed()


def containers_of(
    specifications: Sequence[Manifest],
    policy: Callable[[Manifest], str],
    sandbox: Sandbox,
    states: Sequence[ContainerState],
    changed: Callable[[], None],
) -> list[Container]:
    """One Container for each specification and its state."""
    return [
        Container(each, policy(each), sandbox, state, changed)
        for each, state in zip(specifications, states, strict=True)
    ]
