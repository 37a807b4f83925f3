"""The report: what stands in it, what it must not load, and that it never changes a verdict."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.unit.gate.builders import make_profile, make_request
from tests.unit.gate.kserve_fake import FakeServer
from tests.unit.gate.report_examples import HOSTILE, example_samples, example_verdict
from tidegate.gate.cli import app
from tidegate.gate.profile import Profile
from tidegate.gate.report import with_report, write_report
from tidegate.gate.report.picture import picture_of
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.gate.verdict import Outcome, Verdict

pytestmark = pytest.mark.unit

ONE_AND_A_HALF_MEGABYTES = 1_500_000


@pytest.fixture(scope="module")
def profile() -> Profile:
    return make_profile(slos={"p50": 50, "p95": 100}, warm_up_seconds=10)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> str:
    folder = tmp_path_factory.mktemp("run")
    example_samples().save(folder / "samples.npz")
    return write_report(folder, example_verdict(), profile).read_text()


class _Elements(HTMLParser):
    """Tags with their attributes in order, and the text of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


def in_pieces(samples: Samples, rows: int = 7001) -> Iterator[Samples]:
    return (samples.where(slice(at, at + rows)) for at in range(0, len(samples), rows))


def test_page_says_the_verdict_before_everything_else(page: str) -> None:
    body = page[page.index("<body>") :]
    assert body.index("takes no traffic") < body.index("p99 412.0 ms") < body.index("<svg")
    for part in ("Latency over time", "Bounds at each look", "Failed requests over time"):
        assert part in body
    for fact in ("20261122", "sha256:" + "a" * 64, "105 µs per request", "digits-1-0a1b2c3d"):
        assert fact in body


def test_page_needs_nothing_else_and_runs_nothing(page: str) -> None:
    elements = _Elements(page)
    assert len(page.encode()) < ONE_AND_A_HALF_MEGABYTES
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in elements.found}
    for _, attributes in elements.found:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href"):
                assert value.startswith(("#", "data:image/png;base64,"))
    assert "url(http" not in page
    assert "default-src 'none'" in page


def test_words_of_a_server_stay_words(page: str) -> None:
    assert HOSTILE not in page
    assert HOSTILE in _Elements(page).text


def test_every_figure_has_words_for_who_cannot_see_it(page: str) -> None:
    elements = _Elements(page)
    figures = [attributes for tag, attributes in elements.found if tag == "svg"]
    assert len(figures) == 10  # five, each for a wide page and for a phone
    identities = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(identities) == len(set(identities))
    for figure in figures:
        assert figure["role"] == "img"
        title, description = figure["aria-labelledby"].split()
        assert {title, description} <= set(identities)
    assert "720 of 30000 requests were over the p99 SLO" in elements.text


def test_a_gate_without_load_is_reported_too(tmp_path: Path, profile: Profile) -> None:
    verdict = example_verdict(
        Outcome.INVALID,
        reasons=("the server is unreachable at 127.0.0.1:8000",),
        mend=("start the server",),
        quantiles=(),
        error_rate=None,
        looks=(),
        comparison=None,
        errors_by_kind={},
        counts=example_verdict().counts.model_copy(update={"sent": 0}),
    )
    page = write_report(tmp_path, verdict, profile).read_text()
    assert "<svg" not in page
    assert "start the server" in page
    assert "No load was sent." in page


def test_a_report_that_fails_leaves_the_verdict_alone(tmp_path: Path, profile: Profile) -> None:
    (tmp_path / "samples.npz").write_bytes(b"no samples")
    verdict = example_verdict()
    with_problem = with_report(tmp_path, verdict, profile)
    assert with_problem.report_path is None
    assert "samples.npz" in (with_problem.report_problem or "")
    assert with_problem.model_copy(update={"report_problem": None}) == verdict


def test_counts_do_not_depend_on_how_the_samples_were_cut() -> None:
    samples = example_samples()
    whole = picture_of([samples], 10.0)
    cut = picture_of(in_pieces(samples), 10.0)
    assert whole is not None
    assert cut is not None
    assert list(whole.arms) == [0, 1]
    for arm, counts in whole.arms.items():
        assert counts.requests == int(np.count_nonzero(samples.arm == arm))
        assert np.array_equal(counts.latency, cut.arms[arm].latency)
        assert np.array_equal(counts.judged_latency, cut.arms[arm].judged_latency)
    assert picture_of([], 10.0) is None


@pytest.mark.parametrize("seconds", [2.0, 48.0, 5000.0])
def test_picture_has_enough_requests_per_bin_and_few_bins(seconds: float) -> None:
    samples = example_samples(seconds, 20.0, baseline=False)
    picture = picture_of(in_pieces(samples), 0.0)
    assert picture is not None
    assert picture.edges.size - 1 <= 240
    assert picture.edges[-1] >= np.ptp(samples.intended)
    assert picture.edges[-2] <= np.ptp(samples.intended)
    assert picture.arms[0].requests == len(samples)


def test_quantiles_over_time_are_those_of_the_samples() -> None:
    samples = example_samples(60.0, 200.0, baseline=False, failing=False)
    picture = picture_of([samples], 0.0)
    assert picture is not None
    elapsed = samples.intended - samples.intended.min()
    drawn = picture.arms[0].latency_over_time(0.95)
    for position in (0, drawn.size // 2, drawn.size - 1):
        start, end = picture.edges[position : position + 2]
        inside = samples.latency[(elapsed >= start) & (elapsed < end)]
        true = np.quantile(inside, 0.95, method="inverted_cdf")
        assert drawn[position] == pytest.approx(true, rel=0.013)


def test_a_quantile_among_failed_requests_is_not_drawn_as_a_latency() -> None:
    samples = example_samples(10.0, 100.0, baseline=False, failing=False)
    failed = np.full(len(samples), ErrorKind.STATUS, np.int8)
    lost = replace(samples, ok=np.zeros(len(samples), np.bool_), kind=failed)
    picture = picture_of([lost], 0.0)
    assert picture is not None
    assert np.isinf(picture.arms[0].latency_over_time(0.5)).all()
    assert picture.arms[0].errors[:, ErrorKind.STATUS].sum() == len(samples)
    assert picture.arms[0].distribution()[-1] == 0.0


def one_request() -> Samples:
    return example_samples(20.0, 100.0, baseline=False).where(slice(0, 1))


def all_failed() -> Samples:
    samples = example_samples(20.0, 50.0)
    kind = np.full(len(samples), ErrorKind.CONNECTION, np.int8)
    done = np.full(len(samples), np.nan)
    return replace(samples, done=done, ok=kind == ErrorKind.NONE, kind=kind)


def never_sent() -> Samples:
    samples = example_samples(20.0, 50.0, baseline=False)
    return Samples.unsent(samples.intended, samples.protocol)


def a_request_a_minute_for_a_day() -> Samples:
    return example_samples(86400.0, 1 / 60)


@pytest.mark.parametrize(
    "make", [one_request, all_failed, never_sent, a_request_a_minute_for_a_day]
)
def test_odd_runs_are_drawn_too(
    tmp_path: Path, profile: Profile, make: Callable[[], Samples]
) -> None:
    make().save(tmp_path / "samples.npz")
    page = write_report(tmp_path, example_verdict(Outcome.INVALID), profile).read_text()
    assert page.count("<svg") >= 8
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower()


def finished_run(folder: Path, profile: Profile) -> Verdict:
    server = FakeServer(http_target="127.0.0.1:8000", grpc_target="127.0.0.1:8001")
    make_request(folder, server, profile=profile).write(folder / "request.json")
    example_samples(20.0).save(folder / "samples.npz")
    verdict = example_verdict(profile_digest=profile.digest)
    verdict.write(folder / "verdict.json")
    return verdict


def test_report_of_a_finished_run_is_written_again(tmp_path: Path, profile: Profile) -> None:
    finished_run(tmp_path, profile)
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert result.exit_code == 0, result.output
    first = (tmp_path / "report.html").read_bytes()
    assert result.output.strip() == str(tmp_path / "report.html")
    assert "❌ FAIL" in (tmp_path / "summary.md").read_text()
    assert CliRunner().invoke(app, ["report", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "report.html").read_bytes() == first


def test_report_needs_the_files_of_one_run(tmp_path: Path, profile: Profile) -> None:
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert result.exit_code == 3
    assert "no verdict.json" in re.sub(r"\s+", " ", result.output)
    finished_run(tmp_path, profile)
    example_verdict().write(tmp_path / "verdict.json")
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert result.exit_code == 3
    assert "reached under profile" in re.sub(r"\s+", " ", result.output)
