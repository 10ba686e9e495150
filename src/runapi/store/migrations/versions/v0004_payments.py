"""Top-ups, redeem codes, idempotency keys and receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_top_ups()
    _create_codes()
    _create_idempotency()
    _create_receipts()


def _create_top_ups() -> None:
    op.create_table(
        "top_up",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_nano", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("session_ref", sa.Text(), nullable=True),
        sa.Column("payment_ref", sa.Text(), nullable=True),
        sa.Column("refunded_nano", sa.BigInteger(), nullable=False),
        sa.Column("disputed_nano", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("top_up_mode_check")),
        sa.CheckConstraint("state <> 'paid' OR payment_ref IS NOT NULL", name=op.f("top_up_payment_check")),
        sa.CheckConstraint(
            "amount_nano > 0 AND refunded_nano >= 0 AND disputed_nano >= 0", name=op.f("top_up_amounts_check")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("top_up_account_id_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("top_up_pk")),
        sa.UniqueConstraint("provider", "payment_ref", name=op.f("top_up_provider_payment_ref_unique")),
        sa.UniqueConstraint("provider", "session_ref", name=op.f("top_up_provider_session_ref_unique")),
    )
    op.create_index(op.f("top_up_account_id"), "top_up", ["account_id"], unique=False)
    op.create_table(
        "payment_event",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("session_ref", sa.Text(), nullable=True),
        sa.Column("payment_ref", sa.Text(), nullable=True),
        sa.Column("dispute_ref", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "event_id", name=op.f("payment_event_pk")),
    )
    op.create_index(
        op.f("payment_event_provider_payment_ref"), "payment_event", ["provider", "payment_ref"], unique=False
    )


def _create_codes() -> None:
    op.create_table(
        "redeem_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("amount_nano", sa.BigInteger(), nullable=False),
        sa.Column("sold", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("redeemed_us", sa.BigInteger(), nullable=True),
        sa.Column("redeemed_by", sa.Integer(), nullable=True),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("redeem_code_mode_check")),
        sa.CheckConstraint(
            "(redeemed_us IS NULL) = (redeemed_by IS NULL)", name=op.f("redeem_code_redeemed_check")
        ),
        sa.CheckConstraint("amount_nano > 0", name=op.f("redeem_code_amount_check")),
        sa.CheckConstraint("length(digest) = 32", name=op.f("redeem_code_digest_check")),
        sa.CheckConstraint(
            "redeemed_us IS NULL OR revoked_us IS NULL", name=op.f("redeem_code_one_end_check")
        ),
        sa.ForeignKeyConstraint(["redeemed_by"], ["account.id"], name=op.f("redeem_code_redeemed_by_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("redeem_code_pk")),
        sa.UniqueConstraint("digest", name=op.f("redeem_code_digest_unique")),
    )


def _create_idempotency() -> None:
    op.create_table(
        "idempotency_key",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("idempotency_key_mode_check")),
        sa.PrimaryKeyConstraint("account_id", "mode", "key_digest", name=op.f("idempotency_key_pk")),
    )
    op.create_index(op.f("idempotency_key_at_us"), "idempotency_key", ["at_us"], unique=False)
    op.create_index(op.f("idempotency_key_request_id"), "idempotency_key", ["request_id"], unique=False)
    op.create_table(
        "kept_answer",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("kept_answer_pk")),
    )
    op.create_index(op.f("kept_answer_at_us"), "kept_answer", ["at_us"], unique=False)


def _create_receipts() -> None:
    op.create_table(
        "receipt_source",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("response_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("upstream_usage", sa.Text(), nullable=True),
        sa.Column("price_version", sa.BigInteger(), nullable=False),
        sa.Column("input_pico", sa.BigInteger(), nullable=False),
        sa.Column("output_pico", sa.BigInteger(), nullable=False),
        sa.Column("cached_pico", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_pico", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("leaf", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "(day IS NULL) = (position IS NULL) AND (day IS NULL) = (leaf IS NULL)",
            name=op.f("receipt_source_leaf_check"),
        ),
        sa.CheckConstraint(
            "length(request_sha256) = 32 AND length(response_sha256) = 32",
            name=op.f("receipt_source_digests_check"),
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("receipt_source_pk")),
    )
    unsealed, sealed = sa.text("day IS NULL"), sa.text("day IS NOT NULL")
    op.create_index(
        "receipt_source_unsealed",
        "receipt_source",
        ["ended_us"],
        sqlite_where=unsealed,
        postgresql_where=unsealed,
    )
    op.create_index(
        "receipt_source_sealed",
        "receipt_source",
        ["day", "position"],
        unique=True,
        sqlite_where=sealed,
        postgresql_where=sealed,
    )
    op.create_table(
        "receipt_root",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("leaves", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "length(root) = 32 AND length(previous) = 32", name=op.f("receipt_root_digests_check")
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("receipt_root_pk")),
    )
