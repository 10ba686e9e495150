"""Scenes around the ledger in which a process dies: payments, codes, prices, new accounts, first starts, migrations."""

from pathlib import Path

from prove.draws import AT_US
from prove.journal import Entry
from prove.scenes import Scene, Stage
from prove.work import FIRST_NANO
from runapi.core.keys import Mode
from runapi.core.money import NANO_PER_USD
from runapi.core.orders import (
    NANO_PER_CENT,
    STRIPE,
    USD,
    Notice,
    NoticeKind,
    NoticeOutcome,
    Order,
    OrderState,
)
from runapi.core.problems import Problem
from runapi.core.redeem_codes import VISIBLE_CHARACTERS
from runapi.flows.first_start import ACCOUNT, first_start
from runapi.flows.load_catalog import load_catalog
from runapi.flows.office import Office, open_office
from runapi.flows.publish_prices import PublishPrices, load_book, publish_prices
from runapi.flows.redeem import CreateCodes, create_codes, redeem_code
from runapi.flows.topup import take_notice
from runapi.store.accounts import create_account, find_account, list_accounts
from runapi.store.database import Database
from runapi.store.keys import list_keys
from runapi.store.ledger.customers import TEST_BALANCE_NANO, read_balance
from runapi.store.ledger.recovery import recover
from runapi.store.migrations import HEAD, read_version
from runapi.store.orders import insert_order
from runapi.store.prices import read_newest
from runapi.store.secrets import Vault

PAYER = 2  # the customer who pays and redeems
PAID_USD = 5
PAID_NANO = PAID_USD * NANO_PER_USD
PAYMENT, ORDER = "pi_1", "top_1"
NEWCOMER = "newcomer"


def open_office_of(stage: Stage) -> Office:
    """The office of this folder, its key made where there is none."""
    return open_office(Vault.unlock(stage.database), load_catalog(stage.home))


def faults_of_balance(
    database: Database, wanted_nano: int, account_id: int, mode: Mode = Mode.LIVE
) -> list[str]:
    """What is wrong with what an account has."""
    balance = database.run_now(read_balance, account_id, mode)
    found = None if balance is None else balance.posted
    if found == wanted_nano:
        return []
    return [f"account {account_id} has {found} of {mode.value} money, and should have {wanted_nano}"]


class _Payment(Scene):
    """An order that was paid, of which the provider tells us."""

    notice = Notice(
        provider=STRIPE,
        event_id="evt_1",
        kind=NoticeKind.PAID,
        live=True,
        order_id=ORDER,
        payment_ref=PAYMENT,
        amount_minor=PAID_NANO // NANO_PER_CENT,
        currency=USD,
    )

    async def prepare(self) -> None:
        order = Order(
            id=ORDER,
            account_id=PAYER,
            provider=STRIPE,
            mode=Mode.LIVE,
            currency=USD,
            amount_nano=PAID_NANO,
            state=OrderState.PENDING,
        )
        self.stage.database.run_now(insert_order, order)
        self.stage.say(Entry("ask topup", f"{STRIPE}:{PAYMENT}", PAID_NANO))

    def deliver(self, notice: Notice) -> NoticeOutcome:
        return self.stage.database.run_now(take_notice, notice, AT_US)[0]


class Webhook(_Payment):
    """A payment's webhook, which the provider repeats until it is answered."""

    name = "webhook"
    places = (
        *("before BEGIN", "after INSERT INTO payment_event", "before UPDATE top_up", "after UPDATE top_up"),
        *("after INSERT INTO transfer", "after UPDATE payment_event", "before COMMIT", "after COMMIT"),
    )

    async def act(self) -> None:
        self.deliver(self.notice)

    def check(self) -> list[str]:
        """The provider repeats it twice."""
        said = [self.deliver(self.notice) for _ in range(2)]
        faults = [] if said[1] is NoticeOutcome.NOTHING else [f"a repeated webhook was answered {said[1]}"]
        return faults + faults_of_balance(self.stage.database, FIRST_NANO + PAID_NANO, PAYER)


class Refund(_Payment):
    """The webhook of a refund of that payment."""

    name = "refund"
    places = (
        "after INSERT INTO payment_event",
        "after UPDATE top_up",
        "after INSERT INTO transfer",
        "before COMMIT",
    )
    refund = Notice(
        provider=STRIPE,
        event_id="evt_2",
        kind=NoticeKind.REFUNDED,
        live=True,
        payment_ref=PAYMENT,
        amount_minor=PAID_NANO // NANO_PER_CENT,
        currency=USD,
    )

    async def prepare(self) -> None:
        await super().prepare()
        self.deliver(self.notice)
        self.stage.say(Entry("ask refund", f"{STRIPE}:{PAYMENT}", PAID_NANO))

    async def act(self) -> None:
        self.deliver(self.refund)

    def check(self) -> list[str]:
        self.deliver(self.refund)
        return faults_of_balance(self.stage.database, FIRST_NANO, PAYER)


class Code(Scene):
    """A redeem code, which somebody tries again."""

    name = "code"
    places = ("after UPDATE redeem_code", "after INSERT INTO transfer", "before COMMIT", "after COMMIT")

    async def prepare(self) -> None:
        office = open_office_of(self.stage)
        (made,) = self.stage.database.run_now(create_codes, office, CreateCodes(usd=str(PAID_USD), sold=True))
        self.paper.write_text(made.code)
        self.stage.say(Entry("ask topup", f"code {made.id} {made.code[:VISIBLE_CHARACTERS]}", PAID_NANO))

    async def act(self) -> None:
        self.redeem()

    def check(self) -> list[str]:
        for _ in range(2):
            try:
                self.redeem()
            except Problem:
                break
        return faults_of_balance(self.stage.database, FIRST_NANO + PAID_NANO, PAYER)

    @property
    def paper(self) -> Path:
        """Where the customer has the code."""
        return self.stage.home.with_suffix(".code")

    def redeem(self) -> None:
        office = open_office_of(self.stage)
        self.stage.database.run_now(redeem_code, office, PAYER, self.paper.read_text())


class Prices(Scene):
    """A publication of prices: all of them, or none."""

    name = "prices"
    places = (
        "after INSERT INTO price_list",
        "after INSERT INTO price_version",
        "before COMMIT",
        "after COMMIT",
    )

    async def act(self) -> None:
        self.publish()

    def check(self) -> list[str]:
        newest = self.stage.database.run_now(read_newest)
        unpriced = self.stage.database.run_now(load_book).unpriced(load_catalog(self.stage.home))
        self.publish()
        after = self.stage.database.run_now(read_newest)
        still = self.stage.database.run_now(load_book).unpriced(load_catalog(self.stage.home))
        faults = [f"{model} has no price after the second publication" for model in still]
        if bool(unpriced) == (newest == after):
            faults.append(
                f"a publication was done in part: {len(unpriced)} models were left out of version {newest}"
            )
        return faults

    def publish(self) -> None:
        self.stage.database.run_now(publish_prices, open_office_of(self.stage), PublishPrices())


class Newcomer(Scene):
    """A new account, which has its play money from the beginning."""

    name = "account"
    places = (
        *("after INSERT INTO account", "after INSERT INTO ledger_account", "after INSERT INTO transfer"),
        *("before COMMIT", "after COMMIT"),
    )

    async def act(self) -> None:
        self.stage.database.run_now(create_account, NEWCOMER, AT_US)

    def check(self) -> list[str]:
        database = self.stage.database
        if database.run_now(find_account, NEWCOMER) is None:
            database.run_now(create_account, NEWCOMER, AT_US)
        found = database.run_now(find_account, NEWCOMER)
        number = 0 if found is None else found.id
        return faults_of_balance(database, TEST_BALANCE_NANO, number, Mode.TEST)


class PlayMoney(Scene):
    """A start that credits play money to accounts from before the ledger."""

    name = "play money"
    places = (
        "after credit_missing_play_money",  # before its commit
        "before check_sums",  # after it
    )

    async def prepare(self) -> None:
        self.stage.database.run_now(create_account, NEWCOMER, AT_US, 0)

    async def act(self) -> None:
        recover(self.stage.database, AT_US)

    def check(self) -> list[str]:
        recover(self.stage.database, AT_US)
        number = len(self.stage.database.run_now(list_accounts))
        return faults_of_balance(self.stage.database, TEST_BALANCE_NANO, number, Mode.TEST)


class FirstStart(Scene):
    """A new installation: its key, its first account, its test key."""

    name = "first start"
    places = (
        *(
            "before link secret.key",
            "after link secret.key",
        ),  # secret.key is written, not there yet; there, and not committed
        *("after INSERT INTO meta", "after COMMIT", "after INSERT INTO account", "after INSERT INTO api_key"),
        *("before COMMIT x2", "after COMMIT x2"),
    )
    on_empty = True

    async def prepare(self) -> None:
        self.stage.open()

    async def act(self) -> None:
        self.start()

    def check(self) -> list[str]:
        self.start()
        found = self.stage.database.run_now(list_accounts)
        accounts = [account.name for account in found]
        keys = self.stage.database.run_now(list_keys)
        faults = [] if accounts == [ACCOUNT] else [f"there are the accounts {accounts}"]
        if len(keys) != 1:
            faults.append(f"there are {len(keys)} keys")
        for account in found:
            faults += faults_of_balance(self.stage.database, TEST_BALANCE_NANO, account.id, Mode.TEST)
        return faults

    def start(self) -> None:
        self.stage.database.run_now(first_start, open_office_of(self.stage), {})


class Migration(Scene):
    """The making of the tables: all of them, or none."""

    name = "migration"
    places = (
        *("after CREATE TABLE account", "after CREATE TABLE transfer", "after CREATE TABLE price_version"),
        *(
            "after CREATE TABLE payment_event",
            "after UPDATE alembic_version x2",
            "before COMMIT",
            "after COMMIT",
        ),
    )
    on_empty = True

    async def act(self) -> None:
        self.stage.open()

    def check(self) -> list[str]:
        found = self.stage.database.run_now(read_version)
        return [] if found == HEAD else [f"the schema has the version {found}"]


MONEY_SCENES: tuple[type[Scene], ...] = (
    *(Webhook, Refund, Code, Prices, Newcomer, PlayMoney, FirstStart, Migration),
)
