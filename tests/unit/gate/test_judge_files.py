"""`gate judge` on files of every kind: the exit code tells, and nothing hostile passes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

from tests.unit.gate.builders import make_profile
from tidegate.gate.cli import app
from tidegate.gate.judging import judge_file
from tidegate.gate.sample_file import read_chunks
from tidegate.gate.verdict import Outcome, Verdict

pytestmark = pytest.mark.unit

PROFILE = make_profile(
    rate_per_second=60, duration_seconds=45, warm_up_seconds=5, slos={"p95": 100}
)
Arrays = dict[str, npt.NDArray[Any]]


def good() -> Arrays:
    intended = np.arange(3000) / 60.0
    return {
        "intended": intended,
        "sent": intended + 0.0002,
        "done": intended + 0.010,
        "ok": np.ones(3000, np.bool_),
    }


def replaced(name: str, rows: Any, value: Any) -> Arrays:
    arrays = good()
    arrays[name][rows] = value
    return arrays


def judge_on_command_line(folder: Path, arrays: Arrays) -> tuple[int, Verdict]:
    np.savez(folder / "samples.npz", **arrays)
    return judge_path_on_command_line(folder, folder / "samples.npz")


def judge_path_on_command_line(folder: Path, samples: Path) -> tuple[int, Verdict]:
    (folder / "profile.yaml").write_text(json.dumps(PROFILE.model_dump(by_alias=True)))
    arguments = ["judge", "--samples", str(samples), "--profile", str(folder / "profile.yaml")]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    return result.exit_code, Verdict.model_validate_json(result.stdout)


def test_good_samples_pass(tmp_path: Path) -> None:
    code, verdict = judge_on_command_line(tmp_path, good())
    assert (code, verdict.outcome, verdict.validity) == (0, Outcome.PASS, "partial")
    assert {check.name for check in verdict.checks if check.state == "unknown"} >= {
        "golden",
        "server",
        "cpu",
    }


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({name: array for name, array in good().items() if name != "done"}, "no array 'done'"),
        (good() | {"done": np.arange(5.0)}, "3000 rows"),
        (good() | {"arm": np.zeros(5, np.int8)}, "3000 rows"),
        (good() | {"arm": np.full(3000, 7, np.int8)}, "the code is unknown"),
        (good() | {"ok": np.ones(3000)}, "not boolean"),
        (good() | {"intended": np.zeros((3000, 1))}, "not one-dimensional"),
        (good() | {"sent": np.array([None] * 3000)}, "Python objects"),
        (good() | {"sent": np.full(3000, "now")}, "not seconds"),
        (good() | {"sent": np.zeros(3000, np.complex128)}, "not seconds"),
        (good() | {"kind": np.full(3000, 99, np.int8)}, "the code is unknown"),
        (good() | {"revision": np.zeros(3000, np.int8)}, "the code is unknown"),
        (replaced("intended", 7, np.nan), "an intended start"),
        (replaced("intended", 7, np.inf), "an intended start"),
        (replaced("intended", 7, 1e12), "more than a month"),
        (replaced("intended", 7, -1.0), "not negative"),
        (replaced("sent", 7, np.inf), "no clock shows it"),
        (replaced("done", 7, -np.inf), "no clock shows it"),
        (replaced("done", slice(100, 200), 0.5), "clock went backwards"),
        (replaced("sent", 100, 0.5), "clock went backwards"),
        (replaced("sent", 100, np.nan), "planned and 2999 sent"),
        (replaced("done", 100, np.nan), "neither answered nor counted"),
        ({name: array[:0] for name, array in good().items()}, "no request was sent"),
        ({name: np.concatenate([array, array]) for name, array in good().items()}, "exact copies"),
        ({name: array[::2] for name, array in good().items()}, "1500 were recorded"),
        (good() | {"arm": np.ones(3000, np.int8)}, "no request was sent to the candidate"),
    ],
)
def test_hostile_samples_are_invalid_and_say_why(tmp_path: Path, arrays: Arrays, said: str) -> None:
    code, verdict = judge_on_command_line(tmp_path, arrays)
    assert (code, verdict.outcome) == (3, Outcome.INVALID)
    assert said in verdict.summary
    assert verdict.mend


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04broken"])
def test_files_that_are_no_archive_are_invalid(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "samples.npz").write_bytes(content)
    code, verdict = judge_path_on_command_line(tmp_path, tmp_path / "samples.npz")
    assert (code, verdict.outcome) == (3, Outcome.INVALID)


def test_file_that_is_cut_off_or_missing_is_invalid(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", **good())
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    assert judge_path_on_command_line(tmp_path, tmp_path / "half.npz")[0] == 3
    assert judge_path_on_command_line(tmp_path, tmp_path / "none.npz")[0] == 3


def test_damaged_bytes_are_invalid(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "samples.npz", **good())
    content = bytearray((tmp_path / "samples.npz").read_bytes())
    content[2000:2100] = bytes(100)
    (tmp_path / "samples.npz").write_bytes(bytes(content))
    assert judge_path_on_command_line(tmp_path, tmp_path / "samples.npz")[0] == 3


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_damage_makes_judging_break(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "samples.npz"
    save(path, **{name: array[:300] for name, array in good().items()})
    whole, generator = path.read_bytes(), np.random.default_rng(1)
    for _ in range(100):
        content = bytearray(whole)
        for place in generator.integers(len(whole), size=3):
            content[place] = generator.integers(256)
        path.write_bytes(bytes(content))
        assert judge_file(path, PROFILE)[0].outcome is Outcome.INVALID


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_order_of_rows_and_size_of_pieces_make_no_difference(tmp_path: Path, save: Any) -> None:
    arrays = good()
    arrays["done"][::40] += 0.3
    save(tmp_path / "sorted.npz", **arrays)
    shuffled = np.random.default_rng(1).permutation(3000)
    save(tmp_path / "shuffled.npz", **{name: array[shuffled] for name, array in arrays.items()})
    first, _ = judge_file(tmp_path / "sorted.npz", PROFILE)
    second, _ = judge_file(tmp_path / "shuffled.npz", PROFILE)
    assert first == second
    pieces = list(read_chunks(tmp_path / "sorted.npz", rows=700))
    assert [len(piece) for piece in pieces] == [700, 700, 700, 700, 200]


def test_clock_may_start_anywhere(tmp_path: Path) -> None:
    arrays = good()
    for name in ("intended", "sent", "done"):
        arrays[name] += 98765.4
    assert judge_on_command_line(tmp_path, arrays)[0] == 0


def test_run_that_is_cut_short_is_inconclusive_and_says_how_much_is_left(tmp_path: Path) -> None:
    code, verdict = judge_on_command_line(
        tmp_path, {name: array[:1500] for name, array in good().items()}
    )
    assert (code, verdict.outcome) == (2, Outcome.INCONCLUSIVE)
    assert verdict.needed[0].condition == "whole profile"
    assert verdict.needed[0].seconds == pytest.approx(25.0, abs=0.5)


def test_answers_of_two_revisions_are_invalid(tmp_path: Path) -> None:
    names = np.array(["digits-1-aaaaaaaa", "digits-2-bbbbbbbb"])
    revision = np.zeros(3000, np.int8)
    assert (
        judge_on_command_line(tmp_path, good() | {"revisions": names, "revision": revision})[0] == 0
    )
    revision[1000:1010] = 1
    code, verdict = judge_on_command_line(
        tmp_path, good() | {"revisions": names, "revision": revision}
    )
    assert code == 3
    assert "digits-1-aaaaaaaa and digits-2-bbbbbbbb" in verdict.summary
