"""The ledger once more, as simple as it can be said: what the real one is compared with.

It keeps no `held` and no flags: both follow from the open holds whenever they are asked for.
"""

from typing import Any

LARGEST, FULL = 10**18, 2**63 - 1
PAYERS = {
    "topup": "cash",
    "promo": "promo",
    "adjust": "adjust",
    "write_off": "write_off",
    "refund": "cash",
    "chargeback": "cash",
}


class Model:
    """Takes operations in the form of the vectors and answers in theirs."""

    def __init__(self, customers: tuple[int, ...] = (1, 2)) -> None:
        self.money = {(mode, str(who)): 0 for mode in ("live", "test") for who in customers}
        self.open: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, list[Any]] = {}
        self.done: dict[str, int] = {}  # what happens once, and its amount

    def left(self, purse: tuple[str, str]) -> int:
        return self.money[purse] - sum(
            hold["amount"] for hold in self.open.values() if hold["purse"] == purse
        )

    def pay(self, giver: tuple[str, str], taker: tuple[str, str], amount: int) -> None:
        for purse, change in ((giver, -amount), (taker, amount)):
            self.money[purse] = self.money.get(purse, 0) + change

    def do(self, op: dict[str, Any]) -> list[Any]:
        return getattr(self, f"do_{op['op']}", self.do_post)(op)  # type: ignore[no-any-return]

    def reserve(self, op: dict[str, Any], purse: tuple[str, str], mark: str) -> list[Any]:
        left = self.left(purse)
        if left < 0:
            return ["frozen", left]
        if left < op["least"]:
            return ["insufficient", left]
        granted = self.done[mark] = min(left, op["amount"])
        hold = self.open.setdefault(op["request"], {"purse": purse, "amount": 0, "pico": 0})
        hold["amount"] += granted
        return ["held", granted, left - granted]

    def do_hold(self, op: dict[str, Any]) -> list[Any]:
        mark, purse = f"hold {op['request']}", (op["mode"], str(op["account"]))
        if not 0 <= op["least"] <= op["amount"] <= LARGEST or not op["request"]:
            return ["invalid"]
        if mark in self.done:
            return self.closed(op) if op["request"] in self.ended else ["duplicate", self.done[mark]]
        return self.reserve(op, purse, mark) if purse in self.money else ["unknown_account"]

    def do_extend(self, op: dict[str, Any]) -> list[Any]:
        mark = f"extend {op['n']} {op['request']}"
        if not 0 <= op["least"] <= op["amount"] <= LARGEST:
            return ["invalid"]
        if op["request"] not in self.open:
            return self.closed(op)
        if mark in self.done:
            return ["duplicate", self.done[mark]]
        return self.reserve(op, self.open[op["request"]]["purse"], mark)

    def closed(self, op: dict[str, Any]) -> list[Any]:
        return ["ended", *self.ended[op["request"]]] if op["request"] in self.ended else ["unknown_hold"]

    def do_checkpoint(self, op: dict[str, Any]) -> list[Any]:
        if not 0 <= op["pico"] <= FULL:
            return ["invalid"]
        if op["request"] not in self.open:
            return self.closed(op)
        self.open[op["request"]]["pico"] = op["pico"]
        return ["noted"]

    def do_settle(self, op: dict[str, Any]) -> list[Any]:
        due = (op["pico"] + 999) // 1000
        if not 0 <= op["pico"] <= FULL or op.get("amount", due) != due:
            return ["invalid"]
        if op["request"] not in self.open:
            return self.closed(op)
        hold = self.open.pop(op["request"])
        (mode, _), charged = hold["purse"], min(due, hold["amount"])
        self.pay(hold["purse"], (mode, "revenue"), charged)
        self.pay((mode, "write_off"), (mode, "revenue"), due - charged)
        self.ended[op["request"]] = ["settle", charged]
        return ["settled", charged, due - charged, self.left(hold["purse"])]

    def do_void(self, op: dict[str, Any]) -> list[Any]:
        if op["request"] not in self.open:
            return self.closed(op)
        hold = self.open.pop(op["request"])
        self.ended[op["request"]] = [op["op"], hold["amount"]]
        return ["released", hold["amount"], self.left(hold["purse"])]

    do_expire = do_void

    def do_post(self, op: dict[str, Any]) -> list[Any]:
        purse, amount, mark = (op["mode"], str(op["account"])), op["amount"], f"post {op['id']}"
        if not 0 < (abs(amount) if op["op"] == "adjust" else amount) <= LARGEST:
            return ["invalid"]
        if mark in self.done:
            return ["duplicate", self.done[mark]]
        if purse not in self.money:
            return ["unknown_account"]
        change = -amount if op["op"] in ("refund", "chargeback") else amount
        if op["op"] == "adjust" and change < 0 and self.left(purse) + change < 0:
            return ["insufficient", self.left(purse)]
        house = (op["mode"], PAYERS[op["op"]])
        if max(abs(self.money[purse] + change), abs(self.money.get(house, 0) - change)) > FULL:
            return ["invalid"]
        self.done[mark] = abs(amount)
        self.pay(house, purse, change)
        return ["posted", self.left(purse)]

    def do_crash(self, _op: dict[str, Any]) -> list[Any]:
        charged = 0
        for request in list(self.open):
            pico = self.open[request]["pico"]
            if pico:
                charged += self.do_settle({"request": request, "pico": pico})[1]
            else:
                self.do_void({"op": "void", "request": request})
        return ["recovered", charged]

    def balances(self) -> dict[str, list[int]]:
        """`posted` and `held` of each account that has any, by "mode:who"."""
        found = {f"{mode}:{who}": [posted, 0] for (mode, who), posted in self.money.items()}
        for hold in self.open.values():
            found[":".join(hold["purse"])][1] += hold["amount"]
        return {name: both for name, both in sorted(found.items()) if any(both)}
