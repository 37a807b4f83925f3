"""A container as a process: its own mounts, processes and host name, in its pod's network.

The root file system is an overlay on the machine's own: what the container writes vanishes with
it, and mount points exist only there. Its volumes are bound at their real paths. No users and no
limits: everything runs as root and takes what it can get.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "/.host"
SHARED_MEMORY_SIZE = "64m"
"""What container runtimes give without a volume at /dev/shm."""
DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
"""Minor numbers of the memory devices (major 1)."""


@dataclass(frozen=True)
class Mount:
    """`source` on this machine appears at `target`, an absolute path in the container."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerProcess:
    """What starts a container. `scratch` is an empty folder for its root file system."""

    scratch: Path
    mounts: Sequence[Mount]
    environment: Mapping[str, str]
    command: Sequence[str]
    host_name: str
    working_directory: str = "/"
    read_only_root: bool = False


def isolated(network_prefix: Sequence[str], container: ContainerProcess) -> list[str]:
    """Command line whose process ends as the container does, its signal included.

    The container is the process's only child; killing the process kills all of the container.
    """
    spaces = ["--mount", "--pid", "--uts", "--propagation", "slave"]
    unshare = ["unshare", *spaces, "--fork", "--kill-child=SIGKILL"]
    return [*network_prefix, *unshare, "/bin/sh", "-ec", outer_script(container)]


def inside(container_pid: int, environment: Mapping[str, str], command: Sequence[str]) -> list[str]:
    """Command line that runs something in a running container, as `kubectl exec` does."""
    spaces = ["--mount", "--pid", "--net", "--uts", "--root", "--wd=/"]
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ["nsenter", f"--target={container_pid}", *spaces, "env", "-i", *variables, *command]


def outer_script(container: ContainerProcess) -> str:
    """Make the root file system; the machine's own files are reachable in it until the end."""
    base = container.scratch
    root = base / "root"
    lines = [
        f"mount -t tmpfs -o mode=755 none {_q(base)}",
        f"cd {_q(base)}",
        "mkdir upper work root",
        "mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root",
        f"mkdir root{HOST}",
        f"mount --rbind / root{HOST}",
        f"hostname {_q(container.host_name)}",
        f"exec chroot {_q(root)} /bin/sh -ec {_q(inner_script(container))}",
    ]
    return "\n".join(lines)


def inner_script(container: ContainerProcess) -> str:
    """Mount what the container sees, let go of the machine's files, run the command."""
    lines = [
        "mount -t proc proc /proc",
        "mount -t sysfs -o ro sysfs /sys",
        "mount -t tmpfs -o mode=755 none /dev",
        *(f"mknod -m 666 /dev/{name} c 1 {minor}" for name, minor in DEVICES.items()),
        "ln -s /proc/self/fd /dev/fd",
        "ln -s /proc/self/fd/1 /dev/stdout",
        "ln -s /proc/self/fd/2 /dev/stderr",
        "mkdir /dev/shm",
        f"mount -t tmpfs -o mode=1777,size={SHARED_MEMORY_SIZE} none /dev/shm",
    ]
    for mount in sorted(container.mounts, key=lambda each: each.target.count("/")):
        lines += _mount_lines(mount)
    lines += [f"umount -l {HOST}", f"rmdir {HOST}"]
    if container.read_only_root:
        lines.append("mount -o remount,ro /")
    variables = [f"{name}={value}" for name, value in container.environment.items()]
    start = ["env", "-i", f"--chdir={container.working_directory}", *variables, *container.command]
    return "\n".join([*lines, f"exec {shlex.join(start)}"])


def _mount_lines(mount: Mount) -> list[str]:
    source, target = _q(HOST + str(mount.source)), _q(mount.target)
    parent = _q(str(Path(mount.target).parent))
    lines = [
        f"if [ -d {source} ]; then mkdir -p {target}; "
        f"else mkdir -p {parent}; [ -e {target} ] || : > {target}; fi",
        f"mount --bind {source} {target}",
    ]
    if mount.read_only:
        lines.append(f"mount -o remount,bind,ro {target}")
    return lines


def _q(value: str | Path) -> str:
    return shlex.quote(str(value))
