"""What search, topics, trials of rankers, API keys and schedulers remember."""

import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""

    # The full text, in each database's own way; `db.search_store` is what reads and writes it.
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE paper_search USING fts5(title, people, words, labels, content = '', "
            "tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        # Such a table forgets a text only when it is told the text again; it stands here, compressed.
        op.execute("CREATE TABLE paper_search_text (number INTEGER PRIMARY KEY, held BLOB NOT NULL)")
    else:
        op.execute("CREATE TABLE paper_search (number BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX ix_paper_search_words ON paper_search USING gin (words)")
    op.create_table(
        "label",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("slug", sa.String(length=300), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
        sa.UniqueConstraint("kind", "slug", name=op.f("uq_label_kind_slug")),
    )
    op.create_table(
        "spent",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("highest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_spent")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "topic_model",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("papers", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("guessed_down_to", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_topic_model")),
    )
    op.create_table(
        "trend_report",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_trend_report")),
    )
    op.create_table(
        "turn",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("taker", sa.String(length=200), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turn")),
        sa.UniqueConstraint("job", "slot", name=op.f("uq_turn_job_slot")),
    )
    with op.batch_alter_table("turn", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_turn_slot"), ["slot"], unique=False)

    op.create_table(
        "api_key",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_api_key_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("mark", name=op.f("uq_api_key_mark")),
    )
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_key_subscriber_id"), ["subscriber_id"], unique=False)

    op.create_table(
        "paper_label",
        sa.Column("label_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("announced", sa.Date(), nullable=False),
        sa.Column("paper_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name=op.f("fk_paper_label_label_id")),
        sa.ForeignKeyConstraint(["paper_id"], ["paper.id"], name=op.f("fk_paper_label_paper_id")),
        sa.PrimaryKeyConstraint("label_id", "announced", "paper_id", name=op.f("pk_paper_label")),
    )
    with op.batch_alter_table("paper_label", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_paper_label_paper_id"), ["paper_id"], unique=False)

    op.create_table(
        "shadow",
        sa.Column("profile_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("ranker", sa.String(length=32), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_shadow_batch_id")),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profile.id"], name=op.f("fk_shadow_profile_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("profile_id", "batch_id", "ranker", name=op.f("pk_shadow")),
    )
    op.create_table(
        "trial",
        sa.Column("profile_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ranker", sa.String(length=32), nullable=False),
        sa.Column("interleaved", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profile.id"], name=op.f("fk_trial_profile_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("profile_id", "ranker", name=op.f("pk_trial")),
    )
    with op.batch_alter_table("paper", schema=None) as batch_op:
        batch_op.add_column(sa.Column("indexed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("search_number", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("guessed_topics", sa.JSON(), nullable=True))
        batch_op.create_index(
            "ix_paper_unindexed",
            ["id"],
            unique=False,
            sqlite_where=sa.text("indexed_at IS NULL"),
            postgresql_where=sa.text("indexed_at IS NULL"),
        )

    op.create_index("ix_match_batch_id", "match", ["batch_id"], unique=False)
    op.create_index("ix_edition_in_force", "edition", ["made_at", "name", "papers"], unique=False)

    with op.batch_alter_table("profile", schema=None) as batch_op:
        batch_op.add_column(sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("subscriber", schema=None) as batch_op:
        batch_op.add_column(sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("confirmed_note", sa.Text(), nullable=True))
    op.execute(
        "UPDATE subscriber SET confirmed_at = state_at, confirmed_note = state_note WHERE state = 'confirmed'"
    )

    with op.batch_alter_table("digest", schema=None) as batch_op:
        batch_op.create_index("ix_digest_sent", ["sent_at", "kind", "state"], unique=False)

    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feedback_at"), ["at"], unique=False)

    _take_scores_apart()


def _take_scores_apart() -> None:
    op.create_table(
        "scores",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("first", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ranked", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_scores_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scores")),
    )
    with op.batch_alter_table("scores", schema=None) as batch_op:
        batch_op.create_index("ix_scores_shard", ["shard", "made_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_scores_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_scores_made_at"), ["made_at"], unique=False)

    # Weights have another form: they are learned anew.
    op.execute("DELETE FROM model")
    with op.batch_alter_table("match", schema=None) as batch_op:
        batch_op.add_column(sa.Column("picks", sa.LargeBinary(), nullable=True))
    _pack_matches(op.get_bind())
    with op.batch_alter_table("match", schema=None) as batch_op:
        batch_op.alter_column("picks", existing_type=sa.LargeBinary(), nullable=False)
        batch_op.drop_column("items")


def _pack_matches(connection: sa.Connection) -> None:
    """Matches as bytes instead of JSON, and their best scores apart, by blocks."""
    match = sa.table(
        "match", sa.column("profile_id"), sa.column("batch_id"), sa.column("made_at", sa.DateTime(True)),
        sa.column("ranked"), sa.column("items", sa.JSON()), sa.column("picks", sa.LargeBinary()),
    )  # fmt: skip
    for batch_id in connection.scalars(
        sa.select(match.c.batch_id).distinct().order_by(match.c.batch_id)
    ).all():
        after = 0
        while rows := connection.execute(
            sa.select(match)
            .where(match.c.batch_id == batch_id, match.c.profile_id > after)
            .order_by(match.c.profile_id)
            .limit(1_024)
        ).all():
            after = rows[-1].profile_id
            change = (
                sa.update(match)
                .where(match.c.batch_id == batch_id, match.c.profile_id == sa.bindparam("whose"))
                .values(picks=sa.bindparam("packed"))
            )
            connection.execute(change, [{"whose": r.profile_id, "packed": _packed(r.items)} for r in rows])
            _keep_scores(connection, batch_id, rows)


def _packed(items: dict[str, Any]) -> bytes:
    words = ("strong", "good", "near", "weak")
    picks = [*items["chosen"], *items["near"]]
    records = [
        struct.pack(
            "<IffBB", paper, score, float("nan") if explore is None else explore, words.index(word),
            len(similar[:255]),
        )
        for paper, score, word, similar, explore in picks
    ]  # fmt: skip
    folded = [struct.pack("<I", number) for _, _, _, similar, _ in picks for number in similar[:255]]
    head = struct.pack("<HH", len(items["chosen"]), len(items["near"]))
    return b"".join((head, *records, *folded))


def _keep_scores(connection: sa.Connection, batch_id: int, rows: Sequence[sa.Row[Any]]) -> None:
    scores = sa.table(
        "scores", sa.column("batch_id"), sa.column("shard"), sa.column("first"), sa.column("last"),
        sa.column("made_at", sa.DateTime(True)), sa.column("ranked"), sa.column("data", sa.LargeBinary()),
    )  # fmt: skip
    # Matches of one batch may have been made at different times, and of different numbers of papers.
    blocks: dict[tuple[int, datetime, int], list[sa.Row[Any]]] = {}
    for row in rows:
        blocks.setdefault((row.profile_id // 4_096, row.made_at, row.ranked), []).append(row)
    for (shard, made_at, ranked), held in blocks.items():
        data = struct.pack("<H", 64) + b"".join(
            struct.pack("<qH", r.profile_id, len(r.items["chosen"]))
            + struct.pack("<64e", *[*r.items.get("scores", ()), *[0.0] * 64][:64])
            for r in held
        )
        values = {
            "batch_id": batch_id, "shard": shard, "first": held[0].profile_id, "last": held[-1].profile_id,
            "made_at": made_at, "ranked": ranked, "data": data,
        }  # fmt: skip
        connection.execute(sa.insert(scores).values(values))
