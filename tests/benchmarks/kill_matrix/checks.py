"""Whether a stack is what its file declares, and nothing else."""

import subprocess
from collections.abc import Iterator

import psutil

from tests.benchmarks.kill_matrix.recovery import Declared
from tests.engine.harness.processes import processes_of
from tests.engine.harness.project import STACK, Project
from tests.engine.harness.waiting import wait_for
from tidegate.local.triton import shared_memory_files
from tidegate.traffic.routes import REVISION_HEADER

SETTLE_SECONDS = 10.0
"""A killed program's children need a moment to notice."""

LANGUAGE_HOST = "pulumi-language-python"
"""Pulumi's own; it and a program that waits for the engine outlive an engine that is killed."""


def differences(project: Project, declared: Declared) -> list[str]:
    """One sentence for everything that is not as declared."""
    return [*_state(project, declared), *_answers(project, declared), *_leftovers(project)]


def _state(project: Project, declared: Declared) -> Iterator[str]:
    live = project.revision(declared.release)
    standby = project.revision(declared.standby) if declared.standby is not None else None
    revisions = {each for each in (live, standby) if each is not None}
    weights = {live: 100, **({standby: 0} if standby is not None else {})}
    outputs = project.outputs()["services"]["digits"]
    slots = {each.revision for each in project.local.slots.records()}
    for what, found, wanted in (
        ("live", outputs["live"], live),
        ("standby", outputs["standby"], standby or ""),
        ("routes", project.weights(), weights),
        ("slots", slots, revisions),
        ("servers", project.servers(), revisions),
        ("gates", set(project.local.gates.revisions()), revisions),
    ):
        if found != wanted:
            yield f"{what}: {found}, declared {wanted}"
    again = project.start_up().wait()
    if not again.succeeded or again.changes:
        yield f"a second up is not without changes:\n{again.output}"


def _answers(project: Project, declared: Declared) -> Iterator[str]:
    live = project.revision(declared.release)
    client = project.client()
    for protocol, ask in (("HTTP", client.binary), ("gRPC", client.grpc)):
        reply = ask(client.example())
        revision = reply.headers.get(REVISION_HEADER)
        if reply.status not in {"200", "OK"} or revision != live:
            yield f"{protocol}: {reply.status} from {revision}, declared {live}: {reply.text}"


def _leftovers(project: Project) -> Iterator[str]:
    try:
        wait_for("the end of strays", lambda: not _stray_processes(project), SETTLE_SECONDS)
    except AssertionError:
        yield f"stray processes: {_stray_processes(project)}"
    served = tuple(
        project.local.folder.shared_memory_prefix(each.revision)
        for each in project.local.slots.records()
    )
    strays = [
        path.name
        for path in shared_memory_files(project.local.folder.shared_memory_prefix())
        if not path.name.startswith(served)
    ]
    if strays:
        yield f"stray shared memory: {strays}"
    doctor = subprocess.run(
        ["tidegate", "doctor", "--stack", STACK],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if doctor.returncode != 0:
        yield f"tidegate doctor: {doctor.stdout}{doctor.stderr}"


def _stray_processes(project: Project) -> list[str]:
    """Processes of the project that neither supervisor nor this program looks after."""
    daemon = int((project.local.folder.supervisor / "supervisord.pid").read_text())
    looked_after = {daemon}
    for parent in (psutil.Process(daemon), psutil.Process()):
        looked_after |= {child.pid for child in parent.children(recursive=True)}
    found = []
    for process in processes_of(project.root):
        try:
            command = " ".join(process.cmdline())
            if process.pid not in looked_after and LANGUAGE_HOST not in command:
                found.append(f"{process.pid} {command[:200]}")
        except psutil.Error:
            continue
    return found
