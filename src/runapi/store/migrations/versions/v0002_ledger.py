"""The ledger: numbered accounts, transfers, holds.

Customers that are there already get their accounts here, empty; play money is credited at the next start.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IS_TEST = "CASE mode WHEN 'test' THEN 1 ELSE 0 END"
HOUSE = ("cash", "revenue", "promo", "write_off", "upstream_cost", "adjust")
APPEND_ONLY = "transfers are append-only; correct the books with a new one"


def upgrade() -> None:
    _create_accounts()
    _create_transfers()
    _create_holds()
    op.create_table(
        "ledger_tail",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ledger_tail_one_row_check")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ledger_tail_hash_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("ledger_tail_pk")),
    )
    op.create_table(
        "node",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("node_pk")),
    )
    _forbid_edits()
    _fill()


def _create_accounts() -> None:
    op.create_table(
        "ledger_account",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("posted", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("guarded", sa.Boolean(), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("ledger_account_mode_check")),
        sa.CheckConstraint(f"(id & 1) = {IS_TEST}", name=op.f("ledger_account_number_check")),
        sa.CheckConstraint(
            "(account_id IS NULL) = (kind <> 'customer')", name=op.f("ledger_account_kind_check")
        ),
        sa.CheckConstraint("held >= 0", name=op.f("ledger_account_held_check")),
        sa.CheckConstraint("NOT guarded OR posted - held >= 0", name=op.f("ledger_account_available_check")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("ledger_account_account_id_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("ledger_account_pk")),
        sa.UniqueConstraint("account_id", "mode", name=op.f("ledger_account_account_id_mode_unique")),
    )


def _create_transfers() -> None:
    op.create_table(
        "transfer",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("tid", sa.LargeBinary(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("debit", sa.Integer(), nullable=False),
        sa.Column("credit", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("price_version", sa.BigInteger(), nullable=False),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("usage_source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("transfer_mode_check")),
        sa.CheckConstraint("length(tid) = 16", name=op.f("transfer_tid_check")),
        sa.CheckConstraint("amount >= 0", name=op.f("transfer_amount_check")),
        sa.CheckConstraint("cost_pico >= 0", name=op.f("transfer_cost_check")),
        sa.CheckConstraint("debit <> credit", name=op.f("transfer_sides_check")),
        sa.CheckConstraint(
            f"(debit & 1) = {IS_TEST} AND (debit & 1) = (credit & 1)", name=op.f("transfer_one_mode_check")
        ),
        sa.CheckConstraint("length(hash) = 32", name=op.f("transfer_hash_check")),
        sa.ForeignKeyConstraint(["debit"], ["ledger_account.id"], name=op.f("transfer_debit_fk")),
        sa.ForeignKeyConstraint(["credit"], ["ledger_account.id"], name=op.f("transfer_credit_fk")),
        sa.PrimaryKeyConstraint("seq", name=op.f("transfer_pk")),
        sa.UniqueConstraint("tid", name=op.f("transfer_tid_unique")),
    )
    is_ending = sa.text("kind IN ('settle', 'void', 'expire')")
    op.create_index(
        "transfer_one_end",
        "transfer",
        ["request_id"],
        unique=True,
        sqlite_where=is_ending,
        postgresql_where=is_ending,
    )


def _create_holds() -> None:
    op.create_table(
        "hold",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("ledger_account", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("price_version", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("progress_pico", sa.BigInteger(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("hold_amount_check")),
        sa.CheckConstraint("progress_pico >= 0", name=op.f("hold_progress_check")),
        sa.ForeignKeyConstraint(
            ["ledger_account"], ["ledger_account.id"], name=op.f("hold_ledger_account_fk")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("hold_pk")),
        sqlite_with_rowid=False,
    )


def _forbid_edits() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER transfer_no_{verb.lower()} BEFORE {verb} ON transfer "
                f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION transfer_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER transfer_no_edit BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer "
        "FOR EACH STATEMENT EXECUTE FUNCTION transfer_is_append_only()"
    )


def _fill() -> None:
    accounts = sa.table(
        "ledger_account",
        *(sa.column(name) for name in ("id", "mode", "kind", "account_id", "posted", "held", "guarded")),
    )
    empty = {"account_id": None, "posted": 0, "held": 0}
    house = [
        {"id": 2 * (1 + place) + test, "mode": mode, "kind": kind, "guarded": False, **empty}
        for place, kind in enumerate(HOUSE)
        for test, mode in enumerate(("live", "test"))
    ]
    op.bulk_insert(accounts, house)
    for test, mode in enumerate(("live", "test")):
        customers = sa.text(
            "INSERT INTO ledger_account (id, mode, kind, account_id, posted, held, guarded) "
            "SELECT 16 + 2 * id + CAST(:test AS INTEGER), CAST(:mode AS TEXT), 'customer', id, 0, 0, true FROM account"
        )
        op.execute(customers.bindparams(test=test, mode=mode))
    op.execute(
        "INSERT INTO node (id, epoch, seen_us) VALUES (0, 0, 0)"
    )  # commands, which have no process of their own
    tail = sa.table("ledger_tail", sa.column("id"), sa.column("seq"), sa.column("hash", sa.LargeBinary()))
    op.bulk_insert(tail, [{"id": 1, "seq": 0, "hash": bytes(32)}])
