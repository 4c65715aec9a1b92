"""The report of a batch: one HTML file that needs nothing else, with a picture, flags and reasons for every line."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..clip import atomic_path
from ..console import duration
from .quality import BARS, FLAGS

if TYPE_CHECKING:
    from .run import Summary

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2em;color:#222;background:#fff}h1{font-size:1.3em}
table{border-collapse:collapse;width:100%}td,th{padding:4px 10px;border-bottom:1px solid #ddd;text-align:left;
vertical-align:middle}tr.failed{background:#fdecea}.flag{background:#fff3cd;border-radius:3px;padding:1px 6px;
margin-right:4px}.why{color:#a12622}small{color:#777}svg{display:block}
"""


@dataclass(frozen=True)
class Row:
    id: str
    seconds: float
    why: str  #: why it is not finished; empty when it is
    flags: list[str]
    files: list[str]
    notes: list[str]
    picture: dict[str, Any]  #: see `quality.picture_of`


def write(path: Path, name: str, rows: Iterable[Row], summary: Summary) -> Path:
    """Write the report; failures first, then what is flagged, then the rest. Raises `UserError`."""
    rows = sorted(rows, key=lambda row: (not row.why, not row.flags))
    good = summary.lines - len(summary.failed)
    head = [f"{good} of {summary.lines} lines are finished, {len(summary.failed)} are not"]
    head.append(f"{len(summary.flagged)} deserve an ear" if summary.flagged else "none is flagged")
    head.append(f"this run: {summary.made} in {duration(summary.seconds)}")
    fault = f'<p class="why">{html.escape(summary.fault)}</p>' if summary.fault else ""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(f'<!doctype html><meta charset="utf-8"><title>{html.escape(name)}</title><style>{_STYLE}</style>')
        file.write(f"<h1>{html.escape(name)}</h1><p>{'; '.join(head)}.</p>{fault}<table>")
        file.write("<tr><th>Line<th>Sound, jaw, body<th>Seconds<th>Flags<th>Files</tr>\n")
        file.writelines(_row(row) for row in rows)
        file.write("</table>\n")
    return path


def _row(row: Row) -> str:
    flags = "".join(f'<span class="flag">{html.escape(FLAGS.get(flag, flag))}</span>' for flag in row.flags)
    why = f'<div class="why">{html.escape(row.why)}</div>' if row.why else ""
    notes = "".join(f"<div><small>{html.escape(note)}</small></div>" for note in row.notes[:4])
    files = " ".join(f'<a href="{quote(name)}">{html.escape(name)}</a>' for name in row.files)
    return (
        f'<tr class="{"failed" if row.why else "good"}"><td>{html.escape(row.id)}<td>{picture(row.picture)}'
        f"<td>{row.seconds:.1f}<td>{flags}{why}{notes}<td>{files}</tr>\n"
    )


def picture(numbers: dict[str, Any]) -> str:
    """The thumbnail as SVG: grey is the sound, red the jaw, then three moments of the body."""
    if not numbers:
        return ""
    shapes = []
    for name, colour in (("sound", "#bbb"), ("jaw", "#c0392b")):
        values = numbers.get(name) or []
        points = " ".join(f"{2 * i * BARS / len(values):.0f},{58 - 0.54 * v:.0f}" for i, v in enumerate(values))
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
    for number, figure in enumerate(numbers.get("figures", [])):
        left = 130 + 52 * number
        for line in figure:
            points = " ".join(f"{left - 0.32 * x:.0f},{60 - 0.33 * z:.0f}" for x, z in line)
            shapes.append(f'<polyline points="{points}" fill="none" stroke="#2c5f6f" stroke-width="2"/>')
        x, z = figure[0][0]
        shapes.append(f'<circle cx="{left - 0.32 * x:.0f}" cy="{57 - 0.33 * z:.0f}" r="3.4" fill="#2c5f6f"/>')
    return f'<svg width="264" height="62" viewBox="0 0 264 62">{"".join(shapes)}</svg>'
