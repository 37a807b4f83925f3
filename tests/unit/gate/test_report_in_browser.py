"""The page as a real browser lays it out: desktop, phone, paper, light and dark."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.gate.browser import Browser, Scheme, browsing, find_chromium
from tests.unit.gate.builders import make_profile
from tests.unit.gate.report_examples import example_samples, example_verdict
from tidegate.gate.report import write_report

CHROMIUM = find_chromium()
pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="needs Chromium on PATH or in TIDEGATE_CHROMIUM (Debian: apt install chromium)",
    ),
]

DESKTOP, PHONE = (1100, 800), (390, 844)
READABLE_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of ordinary size."""
SMALLEST_TEXT = 9.5
"""CSS pixels of a figure's text once the figure is scaled to its place."""

SHOWN_TEXT = """[...document.querySelectorAll('h1, h2, p, li, th, td, figcaption, svg text')]
  .filter(element => element.getClientRects().length && element.textContent.trim())"""
LUMINANCE = """
const luminance = colour => {
  const [r, g, b] = colour.match(/[0-9.]+/g).map(part => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("run")
    example_samples().save(folder / "samples.npz")
    profile = make_profile(slos={"p50": 50, "p95": 100}, warm_up_seconds=10)
    page = write_report(folder, example_verdict(), profile)
    assert CHROMIUM is not None
    with browsing(CHROMIUM, tmp_path_factory.mktemp("profile")) as opened:
        opened.view(*DESKTOP)
        opened.open(page)
        yield opened


def test_nothing_is_loaded_blocked_or_broken(browser: Browser) -> None:
    assert browser.console == []
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("width", [360, 390, 768, 1100])
def test_nothing_has_to_be_scrolled_sideways(browser: Browser, width: int) -> None:
    browser.view(width, 844)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    beyond = browser.evaluate(
        f"{SHOWN_TEXT}.filter(each => each.getBoundingClientRect().right > innerWidth + 1)"
        ".map(each => each.textContent)"
    )
    assert beyond == []


@pytest.mark.parametrize(("width", "height"), [DESKTOP, PHONE])
def test_each_figure_is_shown_once_and_its_text_can_be_read(
    browser: Browser, width: int, height: int
) -> None:
    browser.view(width, height)
    shown = browser.evaluate(
        "[...document.querySelectorAll('figure')].map("
        "each => [...each.querySelectorAll('svg')]"
        ".filter(svg => svg.getClientRects().length).length)"
    )
    assert shown == [1] * 5
    smallest = browser.evaluate(
        "Math.min(...[...document.querySelectorAll('svg text')]"
        ".filter(each => each.getClientRects().length)"
        ".map(each => parseFloat(getComputedStyle(each).fontSize)"
        " * each.ownerSVGElement.getScreenCTM().a))"
    )
    assert smallest >= SMALLEST_TEXT


@pytest.mark.parametrize(
    ("screen", "scheme"), list(itertools.product([DESKTOP, PHONE], ["light", "dark"]))
)
def test_all_text_stands_out_from_the_page(
    browser: Browser, screen: tuple[int, int], scheme: Scheme
) -> None:
    browser.view(*screen, scheme=scheme)
    faint = browser.evaluate(
        f"(() => {{ {LUMINANCE}"
        "const page = luminance(getComputedStyle(document.body).backgroundColor);"
        f"return {SHOWN_TEXT}.map(each => {{"
        "  const style = getComputedStyle(each);"
        "  const text = luminance(each.ownerSVGElement ? style.fill : style.color);"
        "  const ratio = (Math.max(page, text) + 0.05) / (Math.min(page, text) + 0.05);"
        "  return [each.textContent, ratio];"
        f"}}).filter(each => each[1] < {READABLE_CONTRAST}) }})()"
    )
    assert faint == []


def test_paper_gets_light_pages_with_whole_figures(browser: Browser, tmp_path: Path) -> None:
    browser.view(680, 1000, scheme="dark", media="print")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert browser.evaluate(
        "[...document.querySelectorAll('.wide')].every(each => each.getClientRects().length)"
    )
    browser.print_pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_screenshot_is_not_blank(browser: Browser, tmp_path: Path) -> None:
    browser.view(*PHONE)
    browser.screenshot(tmp_path / "phone.png")
    from matplotlib.image import imread

    pixels = imread(tmp_path / "phone.png")
    assert pixels.shape[1] == PHONE[0]
    assert pixels[..., :3].std() > 0.05
