"""Accounts, keys, upstreams and request rows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("account_name_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("account_pk")),
        sa.UniqueConstraint("name", name=op.f("account_name_unique")),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("meta_pk")),
    )
    op.create_table(
        "request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("client_left", sa.Boolean(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=True),
        sa.Column("upstream_model", sa.Text(), nullable=True),
        sa.Column("upstream_request_id", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_byte_us", sa.BigInteger(), nullable=True),
        sa.Column("total_us", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("usage_source", sa.Text(), nullable=False),
        sa.Column("service_tier", sa.Text(), nullable=True),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano", sa.BigInteger(), nullable=False),
        sa.Column("upstream_cost_nano", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.Text(), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("request_mode_check")),
        sa.CheckConstraint(
            "cost_pico >= 0 AND cost_nano >= 0 AND upstream_cost_nano >= 0", name=op.f("request_cost_check")
        ),
        sa.CheckConstraint(
            "input_tokens >= 0 AND cached_tokens >= 0 AND cache_write_tokens >= 0 AND output_tokens >= 0 AND reasoning_tokens >= 0",
            name=op.f("request_tokens_check"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("request_pk")),
    )
    op.create_index(op.f("request_account_id_at_us"), "request", ["account_id", "at_us"], unique=False)
    op.create_index(op.f("request_at_us"), "request", ["at_us"], unique=False)
    op.create_table(
        "upstream",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), server_default="openai-chat", nullable=False),
        sa.Column("key_ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("cost_ratio_ppm", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("upstream_name_check")),
        sa.CheckConstraint("cost_ratio_ppm >= 0", name=op.f("upstream_cost_ratio_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("upstream_pk")),
        sa.UniqueConstraint("name", name=op.f("upstream_name_unique")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("on_disconnect", sa.Text(), nullable=False),
        sa.Column("on_refused_parameter", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("api_key_mode_check")),
        sa.CheckConstraint("length(digest) = 32", name=op.f("api_key_digest_check")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("api_key_account_id_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_key_pk")),
        sa.UniqueConstraint("digest", name=op.f("api_key_digest_unique")),
    )
    op.create_index(op.f("api_key_account_id"), "api_key", ["account_id"], unique=False)
    op.create_table(
        "upstream_model",
        sa.Column("upstream_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upstream_id"], ["upstream.id"], name=op.f("upstream_model_upstream_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upstream_id", "model", name=op.f("upstream_model_pk")),
    )
