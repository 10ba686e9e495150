"""THE list of operator commands: the command line and the admin API offer these and nothing else.

Each runs in one transaction; one that must ask the network does so afterwards, in `finish`. One that reads too much for
one transaction, which would keep requests waiting, runs in steps and changes nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from runapi.flows import (
    add_upstream,
    adjust_account,
    credit_account,
    issue_key,
    limit_key,
    open_account,
    publish_prices,
    reconcile_usage,
    redeem,
    show_ledger,
    show_models,
    show_requests,
    sign_receipt,
    verify_ledger,
)
from runapi.flows.add_upstream import UpstreamProbe
from runapi.flows.office import Change

NOTHING: frozenset[Change] = frozenset()
KEYS = frozenset({Change.KEYS})
UPSTREAMS = frozenset({Change.UPSTREAMS})
PRICES = frozenset({Change.PRICES})
BALANCES = frozenset({Change.BALANCES})


class Command(msgspec.Struct, frozen=True):
    """One verb: the parameters it takes, what it does, and what a running server must read again after it."""

    name: str
    parameters: type[msgspec.Struct]
    perform: Callable[[Any, Any, Any], Any]  # (connection, office, parameters) -> a row or a list of rows
    changes: frozenset[Change] = NOTHING
    finish: Callable[[Any, UpstreamProbe], Awaitable[Any]] | None = None  # given what `perform` gave
    in_steps: bool = False  # `perform` is awaited, and given the database in place of a connection


ALL = (
    Command("accounts.create", open_account.CreateAccount, open_account.create_account),
    Command("accounts.list", open_account.ListAccounts, open_account.list_accounts),
    Command("accounts.show", open_account.ShowAccount, open_account.show_account),
    Command("accounts.credit", credit_account.CreditAccount, credit_account.credit_account, BALANCES),
    Command("accounts.adjust", adjust_account.AdjustAccount, adjust_account.adjust_account, BALANCES),
    Command("accounts.refund", adjust_account.RefundAccount, adjust_account.refund_account, BALANCES),
    Command("keys.create", issue_key.CreateKey, issue_key.create_key, KEYS),
    Command("keys.list", issue_key.ListKeys, issue_key.list_keys),
    Command("keys.revoke", issue_key.RevokeKey, issue_key.revoke_key, KEYS),
    Command("keys.limit", limit_key.LimitKey, limit_key.limit_key, KEYS),
    Command("upstreams.add", add_upstream.AddUpstream, add_upstream.add_upstream, UPSTREAMS),
    Command("upstreams.list", add_upstream.ListUpstreams, add_upstream.list_upstreams),
    Command("upstreams.remove", add_upstream.NameUpstream, add_upstream.remove_upstream, UPSTREAMS),
    Command(
        "upstreams.test",
        add_upstream.NameUpstream,
        add_upstream.find_target,
        NOTHING,
        add_upstream.try_upstream,
    ),
    Command("requests.list", show_requests.ListRequests, show_requests.list_requests),
    Command("requests.show", show_requests.ShowRequest, show_requests.show_request),
    Command("models.list", show_models.ListModels, show_models.list_models),
    Command("prices.show", publish_prices.ShowPrices, publish_prices.show_prices),
    Command("prices.diff", publish_prices.DiffPrices, publish_prices.diff_prices),
    Command("prices.publish", publish_prices.PublishPrices, publish_prices.publish_prices, PRICES),
    Command("ledger.verify", verify_ledger.VerifyLedger, verify_ledger.verify_ledger, in_steps=True),
    Command("ledger.show", show_ledger.ShowLedger, show_ledger.show_ledger, in_steps=True),
    Command("ledger.accounts", show_ledger.ListBooks, show_ledger.list_books),
    Command(
        "ledger.reconcile", reconcile_usage.ReconcileUsage, reconcile_usage.reconcile_usage, in_steps=True
    ),
    Command("codes.create", redeem.CreateCodes, redeem.create_codes),
    Command("codes.list", redeem.ListCodes, redeem.list_codes),
    Command("codes.revoke", redeem.RevokeCode, redeem.revoke_code),
    Command("receipts.show", sign_receipt.ShowReceipt, sign_receipt.show_receipt),
    Command("receipts.key", sign_receipt.ShowKey, sign_receipt.show_key),
    Command("receipts.roots", sign_receipt.ListRoots, sign_receipt.list_roots),
)
COMMANDS = {command.name: command for command in ALL}
