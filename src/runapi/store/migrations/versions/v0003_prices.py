"""Published prices and keys' limits."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

APPEND_ONLY = "published prices are never changed; publish a new version"


def upgrade() -> None:
    op.create_table(
        "price_list",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("published_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("price_list_version_check")),
        sa.PrimaryKeyConstraint("version", name=op.f("price_list_pk")),
    )
    op.create_table(
        "price_version",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=False),
        sa.Column("official", sa.Text(), nullable=False),
        sa.CheckConstraint("model <> ''", name=op.f("price_version_model_check")),
        sa.ForeignKeyConstraint(["version"], ["price_list.version"], name=op.f("price_version_version_fk")),
        sa.PrimaryKeyConstraint("version", "model", name=op.f("price_version_pk")),
    )
    _create_key_limit()
    _forbid_edits()


def _create_key_limit() -> None:
    op.create_table(
        "key_limit",
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("spend_day_nano", sa.BigInteger(), nullable=True),
        sa.Column("spend_week_nano", sa.BigInteger(), nullable=True),
        sa.Column("spend_month_nano", sa.BigInteger(), nullable=True),
        sa.Column("spend_total_nano", sa.BigInteger(), nullable=True),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("concurrent", sa.BigInteger(), nullable=True),
        sa.Column("models", sa.Text(), nullable=True),
        sa.Column("networks", sa.Text(), nullable=True),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "spend_day_nano >= 0 AND spend_week_nano >= 0 AND spend_month_nano >= 0 AND spend_total_nano >= 0",
            name=op.f("key_limit_spend_check"),
        ),
        sa.CheckConstraint(
            "requests_per_minute > 0 AND tokens_per_minute > 0 AND concurrent > 0",
            name=op.f("key_limit_rate_check"),
        ),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"], name=op.f("key_limit_key_id_fk")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("key_limit_pk")),
    )


def _forbid_edits() -> None:
    tables = ("price_list", "price_version")
    if op.get_bind().dialect.name == "sqlite":
        for table in tables:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION prices_are_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END $$"
    )
    for table in tables:
        op.execute(
            f"CREATE TRIGGER {table}_no_edit BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION prices_are_append_only()"
        )
