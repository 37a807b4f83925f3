"""What of a stack still runs or listens: nothing, after it was destroyed."""

import psutil

from tidegate.local.stack import LocalStack
from tidegate.local.triton import shared_memory_files


def leftovers(stack: LocalStack) -> list[str]:
    """One line for each process, listening port, socket and shared memory file that remains."""
    root = str(stack.folder.root.resolve())
    findings = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if process.pid == psutil.Process().pid or not any(root in part for part in command):
                continue
            listening = sorted(
                connection.laddr.port
                for connection in process.net_connections(kind="tcp")
                if connection.status == psutil.CONN_LISTEN and connection.laddr
            )
            ports = f", listens on {', '.join(map(str, listening))}" if listening else ""
            findings.append(f"process {process.pid} ({process.name()}){ports}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    findings += [f"server of {each.revision}" for each in stack.slots.records()]
    findings += [
        f"shared memory {path}" for path in shared_memory_files(stack.folder.shared_memory_prefix())
    ]
    if stack.folder.socket.exists():
        findings.append(f"supervisor's socket {stack.folder.socket}")
    return findings
