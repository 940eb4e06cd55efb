"""WCAG contrast of every text and surface pair that the parts use, in both themes; and that both dark blocks agree."""

from __future__ import annotations

import re
from typing import Final

HEX: Final = r"(--[\w-]+):\s*(#[0-9a-f]{6})"
DARK: Final = r":root(?:\:not\(\[data-theme=\"light\"\]\)|\[data-theme=\"dark\"\]) \{(.*?)\}"
TINTED: Final = ("ok", "bad", "warn", "run", "none")
FAMILIES: Final = ("review", "forge", "ci", "ticket", "deploy", "cloud", "log", "artifact", "people", "hub")
SURFACES: Final = ("canvas", "rail", "panel", "raised", "sunken", "hover", "select")
Pair = tuple[str, str, float]


def pairs() -> list[Pair]:
    """Foreground, background, least contrast."""
    found: list[Pair] = [(ink, on, 4.5) for ink in ("ink", "ink-2", "ink-3", "accent-ink") for on in SURFACES]
    found += [(o, on, 4.5) for o in TINTED for on in ("panel", "canvas", "hover", "select", f"{o}-tint")]
    found += [(f"fam-{f}", on, 4.5) for f in FAMILIES for on in ("panel", "hover", "select", f"fam-{f}-tint")]
    found += [("ink", f"{o}-tint", 4.5) for o in (*TINTED, "accent", "private")]
    found += [("ink-2", f"{o}-tint", 4.5) for o in ("ok", "bad", "warn", "run", "accent", "private")]
    found += [("on-accent", "accent", 4.5), ("on-accent", "accent-hover", 4.5), ("private", "private-tint", 4.5)]
    found += [("private", "panel", 4.5), ("line-control", "panel", 3), ("line-control", "canvas", 3)]
    found += [(f"{o}-mark", "panel", 3) for o in TINTED]
    return found + [("accent", on, 3) for on in SURFACES] + [("chart-ideal", "panel", 3)]


def failures(css: str) -> list[str]:
    """What is below its limit, in words."""
    before = css.partition("@media screen and")[0]
    system, override = (dict(re.findall(HEX, block)) for block in re.findall(DARK, css, re.DOTALL)[:2])
    light = dict(re.findall(HEX, before))
    wrong = [] if system == override else ["the two dark blocks differ"]
    for name, theme in (("light", light), ("dark", light | override)):
        for front, back, least in pairs():
            found = contrast(theme[f"--{front}"], theme[f"--{back}"])
            if found < least:
                wrong.append(f"{name}: {front} on {back} is {found:.2f}, at least {least}")
    return wrong


def contrast(one: str, other: str) -> float:
    """The ratio of two colours, 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
