"""Receipts in words: what was checked, and why nothing came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from db.records import Receipt


def in_words(receipts: Sequence[Receipt], names: dict[int, str]) -> str:
    """One line that tells a reader what was looked at: "weekly digest (Tue 28 Oct, 312 new)"."""
    parts = []
    for receipt in receipts:
        if not receipt.received and not receipt.error:
            continue
        name = names.get(receipt.source_id, receipt.location)
        day = f"{day_in_words(receipt.batch)}, " if receipt.batch else ""
        parts.append(f"{name} failed" if receipt.error else f"{name} ({day}{receipt.new} new)")
    if len(parts) > 4:
        parts = [*parts[:3], f"{len(parts) - 3} more"]
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def result(receipt: Receipt) -> str:
    """What came of one check, for the operator: "Tue 28 Oct: 312 papers, 300 new, 2 left out"."""
    if receipt.error:
        return receipt.error
    counts = [
        (receipt.received, "papers"), (receipt.new, "new"), (receipt.updated, "updated"),
        (receipt.merged, "merged"), (len(receipt.rejected), "left out"),
    ]  # fmt: skip
    parts = [f"{number} {word}" for number, word in counts if number]
    if receipt.note and receipt.outcome != "papers":
        # Why there is nothing says more than that there is nothing.
        return receipt.note if not receipt.new else f"{receipt.note} ({', '.join(parts)})"
    day = f"{day_in_words(receipt.batch)}: " if receipt.batch else ""
    return day + (", ".join(parts) or "nothing in it")


def why_nothing(receipts: Sequence[Receipt]) -> str:
    """Why a check brought no new paper, in one sentence."""
    if not receipts:
        return "No source was due, so nothing was checked."
    failed = [r for r in receipts if r.error]
    if failed:
        return f"{len(failed)} of {len(receipts)} sources could not be read; the operator has been told."
    stale = [r for r in receipts if r.outcome == "stale"]
    if len(stale) == len(receipts):
        return f"Checked {_sources(len(receipts))}: a new batch is due, and the last one is still shown."
    notes = list(dict.fromkeys(r.note for r in receipts if r.note))
    if notes:
        return f"Checked {_sources(len(receipts))}: {'; '.join(notes[:2])}."
    known = sum(r.received for r in receipts)
    return f"Checked {_sources(len(receipts))}: all {known} papers were known already."


def day_in_words(day: date) -> str:
    """A day as readers see it: "Tue 28 Oct"."""
    return f"{day:%a} {day.day} {day:%b}"


def _sources(number: int) -> str:
    return "1 source" if number == 1 else f"{number} sources"
