"""Numbers as people read them, the same in terminal, Markdown and page."""

import math

UNKNOWN = "\N{EN DASH}"


def plain(value: float) -> str:
    """Three significant digits without an exponent: 0.00123, 12.3, 4800."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float) -> str:
    """0.0011 → "0.11%". From 99% on every nine is kept: 0.99999 is "99.999%"."""
    if 0.99 < share < 1:
        return f"{math.floor(share * 1e9) / 1e7:.10g}%"
    return f"{plain(share * 100)}%"


def ratio(value: float) -> str:
    """1.0346 → "1.035": margins are a few percent, so a percent needs two digits."""
    return f"{value:.3f}"


def milliseconds(value: float | None) -> str:
    """12.3 → "12.3 ms"; a dash for None."""
    return UNKNOWN if value is None else f"{plain(value)} ms"


def count(value: float) -> str:
    """12571 → "12 571", with thin spaces that do not break."""
    return f"{value:,.0f}".replace(",", "\u202f")
