"""What a person sees of a step, and what remains of a failure."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from toolchain.errors import ToolchainError
from toolchain.progress import Progress, StepTime, time_table

pytestmark = pytest.mark.unit


def test_steps_are_numbered_and_timed() -> None:
    out = io.StringIO()
    progress = Progress(out, total=2)
    with progress.step("first"):
        pass
    with progress.step("second"):
        pass
    assert out.getvalue().splitlines() == ["[1/2] first", "[2/2] second"]
    assert [step.title for step in progress.times] == ["first", "second"]


def test_a_failed_program_shows_the_end_of_its_log_and_where_it_lies(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "program.log"
    code = "import sys; print(*range(100), sep='\\n'); print('no space'); sys.exit(3)"
    with pytest.raises(ToolchainError) as failure:
        Progress(io.StringIO(), 1).run([sys.executable, "-c", code], log=log, cwd=tmp_path)
    message = str(failure.value)
    assert "exit code 3" in message
    assert str(log) in message
    assert message.endswith("no space")
    assert "\n50\n" not in message
    assert "\n50\n" in log.read_text()


def test_the_table_ends_with_the_sum() -> None:
    table = time_table([StepTime("a", 1.25), StepTime("long name", 2.0)]).splitlines()
    assert [line.split()[-2] for line in table] == ["1.2", "2.0", "3.2"]
    assert table[-1].split()[0] == "total"
