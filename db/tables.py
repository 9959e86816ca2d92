"""The tables. Rows never leave this package: stores turn them into frozen dataclasses."""

from __future__ import annotations

from db.columns import Base, Key, Moment
from db.delivery_tables import (
    BatchRow,
    BounceRow,
    DigestRow,
    LeaseRow,
    MatchRow,
    RelayRow,
    ScoresRow,
    TurnRow,
)
from db.paper_tables import (
    AliasRow,
    EditionRow,
    EntryMarkRow,
    LabelRow,
    PaceRow,
    PaperLabelRow,
    PaperRow,
    ReceiptRow,
    RevisionRow,
    SightingRow,
    SourceRow,
    TopicModelRow,
    TrendReportRow,
)
from db.reader_tables import ApiKeyRow, FeedbackRow, ModelRow, ProfileRow, ShadowRow, SubscriberRow, TrialRow

__all__ = [
    "AliasRow",
    "ApiKeyRow",
    "Base",
    "BatchRow",
    "BounceRow",
    "DigestRow",
    "EditionRow",
    "EntryMarkRow",
    "FeedbackRow",
    "Key",
    "LabelRow",
    "LeaseRow",
    "MatchRow",
    "ModelRow",
    "Moment",
    "PaceRow",
    "PaperLabelRow",
    "PaperRow",
    "ProfileRow",
    "ReceiptRow",
    "RelayRow",
    "RevisionRow",
    "ScoresRow",
    "ShadowRow",
    "SightingRow",
    "SourceRow",
    "SubscriberRow",
    "TopicModelRow",
    "TrendReportRow",
    "TrialRow",
    "TurnRow",
]
