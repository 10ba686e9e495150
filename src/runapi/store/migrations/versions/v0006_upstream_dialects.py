"""The dialects that an upstream speaks, how it is shown the key, and the query of its address."""

from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UPSTREAM = sa.table("upstream", sa.column("id"), sa.column("base_url"), sa.column("dialects"))


def upgrade() -> None:
    op.add_column("upstream", sa.Column("query", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("upstream", sa.Column("dialects", sa.Text(), server_default="openai_chat", nullable=False))
    op.add_column("upstream", sa.Column("auth", sa.Text(), server_default="bearer", nullable=False))
    op.drop_column("upstream", "dialect")
    _let_openai_speak_responses()


def _let_openai_speak_responses() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(UPSTREAM.c.id, UPSTREAM.c.base_url)).all():
        if urlsplit(row.base_url).hostname == "api.openai.com":
            both = sa.update(UPSTREAM).where(UPSTREAM.c.id == row.id)
            connection.execute(both.values(dialects="openai_chat,openai_responses"))
