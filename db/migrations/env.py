"""Run by alembic, always through `db.migrate`, which hands over its connection."""

from typing import Any, Literal

from alembic import context

from db.migrate import compared
from db.tables import Base, Moment


def render_item(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Write our own types as plain ones, since a migration must not change when the code does."""
    if kind == "type" and isinstance(item, Moment):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    include_name=compared,
    render_item=render_item,
)
context.run_migrations()
