"""Answers of /v1/responses that are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stored_response",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("stored_response_mode_check")),
        sa.CheckConstraint("size_bytes > 0", name=op.f("stored_response_size_check")),
        sa.PrimaryKeyConstraint("account_id", "mode", "id", name=op.f("stored_response_pk")),
    )
    op.create_index(op.f("stored_response_at_us"), "stored_response", ["at_us"], unique=False)
    op.create_index(
        "stored_response_sizes",
        "stored_response",
        ["account_id", "mode", "at_us", "size_bytes"],
        unique=False,
    )
    op.create_table(
        "stored_item",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("response_id", sa.Text(), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("stored_item_mode_check")),
        sa.PrimaryKeyConstraint("account_id", "mode", "id", name=op.f("stored_item_pk")),
    )
    op.create_index(
        op.f("stored_item_account_id_mode_response_id"),
        "stored_item",
        ["account_id", "mode", "response_id"],
        unique=False,
    )
