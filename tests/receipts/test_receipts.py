"""A receipt can be checked by anybody, and says no to every change."""

import copy
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.receipts import KEY, RATES, a_receipt, a_record, a_source, a_transfer, an_inclusion
from runapi.core.check_receipt import check_receipt
from runapi.core.money import nano_from_pico, usd
from runapi.core.receipts import (
    ReceiptImpossible,
    SignedReceipt,
    canonical,
    make_receipt,
    public_key_of,
    sign_receipt,
)
from runapi.core.usage import Usage

PUBLIC = public_key_of(KEY)
counts = st.integers(0, 2_000_000)
usages = st.builds(Usage, counts, counts, counts, counts, counts)


def a_file(**options: object) -> bytes:
    receipt = a_receipt(**options)  # type: ignore[arg-type]
    return canonical(sign_receipt(receipt, KEY, an_inclusion(receipt)))


FILE = a_file()


def resigned(change) -> bytes:
    """The file after `change`, signed again: what a service that lies would send."""
    document = json.loads(FILE)
    change(document["receipt"])
    document["inclusion"] = None
    receipt = msgspec.convert(document, SignedReceipt).receipt
    return canonical(sign_receipt(receipt, KEY, None))


def test_a_receipt_that_was_not_touched_is_right():
    verdict = check_receipt(FILE, PUBLIC)
    assert verdict.fault is None
    assert verdict.signed is not None
    assert verdict.signed.receipt.charged_usd == "0.000705"


def test_a_newline_at_the_end_does_not_matter():
    assert check_receipt(FILE + b"\n", PUBLIC).fault is None


def test_the_canonical_form_is_sorted_json_without_spaces_in_utf8():
    tricky = 'é\u2028\x7f\x01\b\t\n\f\r"\\/😀'
    receipt = msgspec.structs.replace(a_receipt(), model=tricky)
    plain = json.loads(canonical(receipt))
    assert (
        canonical(receipt)
        == json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )


@given(usages)
def test_every_receipt_that_we_make_is_right(usage: Usage):
    file = a_file(usage=usage)
    assert check_receipt(file, PUBLIC).fault is None
    receipt = json.loads(file)["receipt"]
    total = sum(int(line["tokens"]) * int(line["rate_pico"]) for line in receipt["lines"])
    assert int(receipt["charged_nano"]) == -(-total // 1000)


@given(usages.filter(lambda usage: usage.output), st.integers(1, 1000))
def test_what_went_beyond_the_hold_is_on_the_receipt_and_was_not_paid(usage: Usage, over_nano: int):
    file = a_file(usage=usage, over_nano=over_nano)
    assert check_receipt(file, PUBLIC).fault is None
    assert json.loads(file)["receipt"]["written_off_nano"] == str(over_nano)


def test_an_answer_that_cost_nothing_has_a_receipt_without_lines():
    file = a_file(free=True)
    assert check_receipt(file, PUBLIC).fault is None
    assert json.loads(file)["receipt"]["lines"] == []


@pytest.mark.parametrize("changed", ["cost_pico", "cost_nano"])
def test_numbers_that_do_not_add_up_are_never_signed(changed: str):
    record = a_record(Usage(100, 20, 0, 30))
    setattr(record, changed, getattr(record, changed) + 1)
    with pytest.raises(ReceiptImpossible, match=record.id):
        make_receipt(record, a_source(), [], account="acct_1", key="")


# ---- changes ---------------------------------------------------------------------------------------------


@settings(max_examples=400)
@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_found(place: int, difference: int):
    changed = bytearray(FILE)
    changed[place] ^= difference
    assert check_receipt(bytes(changed), PUBLIC).fault is not None
    assert check_receipt(bytes(changed)).fault is not None


@settings(max_examples=300)
@given(st.integers(0, len(FILE)), st.binary(min_size=1, max_size=3), st.integers(0, 3))
def test_any_inserted_or_deleted_byte_is_found(place: int, inserted: bytes, deleted: int):
    changed = FILE[:place] + inserted + FILE[place + deleted :]
    if changed not in {FILE, FILE + b"\n"}:
        assert check_receipt(changed, PUBLIC).fault is not None


def leaves_of(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The paths of all values inside a JSON value that hold no others."""
    inner = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if inner is None or not value:
        return [path]
    return [found for name, item in inner for found in leaves_of(item, (*path, name))]


PATHS = leaves_of(json.loads(FILE))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_any_changed_field_is_found(path: tuple[object, ...]):
    changes: list[object] = [1, "changed", None, "", "0", [], {}, True, "0" * 64, "1" * 128]
    holder = json.loads(FILE)
    for name in path:
        holder = holder[name]
    if isinstance(holder, str):
        changes += [f"{holder}\n", f" {holder}", f"0{holder}", holder.swapcase(), holder[:-1]]
    for change in changes:
        document = json.loads(FILE)
        holder = document
        for name in path[:-1]:
            holder = holder[name]
        if holder[path[-1]] == change and type(holder[path[-1]]) is type(change):
            continue
        holder[path[-1]] = change
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert check_receipt(text, PUBLIC).fault is not None, change


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_any_missing_or_added_field_is_found(path: tuple[object, ...]):
    for adds in (False, True):
        document = copy.deepcopy(json.loads(FILE))
        holder = document
        for name in path[:-1]:
            holder = holder[name]
        if adds and isinstance(holder, dict):
            holder["another"] = 1
        else:
            del holder[path[-1]]
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert check_receipt(text, PUBLIC).fault is not None


# ---- what is said ----------------------------------------------------------------------------------------


def test_a_wrong_line_is_named_with_its_numbers():
    fault = check_receipt(resigned(lambda receipt: receipt["lines"][3].update(pico="1"))).fault
    assert fault == (
        "The line 'output' is wrong: 30 tokens x 15000000 pico-dollars are 450000000, not 1, although its signature fits."
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"total_pico": "1"}, "The total is wrong: the lines add up to 705000000 pico-dollars, not 1"),
        (
            {"charged_nano": "1"},
            "The charge is wrong: 705000000 pico-dollars round up to 705000 nano-dollars",
        ),
        ({"charged_usd": "0.0007"}, "The amount is wrong: 705000 nano-dollars are 0.000705 USD, not 0.0007"),
        (
            {"transfers": []},
            "The transfers do not fit: those of kind 'settle' move 0 nano-dollars, not 705000",
        ),
        ({"usage": {"input": 99}}, "The lines do not charge the tokens that the usage counts"),
        ({"lines": []}, "The total is wrong: the lines add up to 0 pico-dollars"),
        ({"version": 2}, "The receipt is of version 2"),
    ],
)
def test_a_service_that_signs_what_does_not_add_up_is_caught(change: dict[str, object], words: str):
    fault = check_receipt(resigned(lambda receipt: receipt.update(change))).fault
    assert fault is not None
    assert fault.startswith(words)


def test_a_changed_receipt_is_told_from_a_wrong_one():
    changed = FILE.replace(b'"gpt-5.5"', b'"gpt-5.4"')
    assert "was changed after it was signed" in str(check_receipt(changed).fault)
    changed = FILE.replace(b'"tokens":30', b'"tokens":31')
    assert str(check_receipt(changed).fault).endswith("and its signature does not fit.")


def test_another_service_s_signature_is_told_from_ours():
    fault = check_receipt(FILE, b"x" * 32).fault
    assert fault is not None
    assert fault.startswith(f"The receipt was signed by the key {PUBLIC.hex()}")


def test_a_receipt_of_another_day_is_not_in_this_day_s_root():
    receipt = a_receipt()
    other = an_inclusion(a_receipt(Usage(1, 0, 0, 1)))
    fault = check_receipt(canonical(sign_receipt(receipt, KEY, other))).fault
    assert fault == (
        "The receipt is not among those of 2026-11-22: its path does not lead to that day's root."
    )


def test_a_file_that_was_re_formatted_is_said_to_be():
    pretty = json.dumps(json.loads(FILE), indent=2).encode()
    assert "re-formatted" in str(check_receipt(pretty, PUBLIC).fault)


@pytest.mark.parametrize("file", [b"", b"null", b"[]", b"{}", b"\xff", b"{" * 100_000, b"x" * 2_000_000])
def test_what_is_no_receipt_gets_one_sentence(file: bytes):
    fault = check_receipt(file).fault
    assert fault is not None
    assert "no receipt" in fault
    assert fault.endswith(".")


def test_rates_and_amounts_are_strings_so_that_no_reader_rounds_them():
    receipt = json.loads(FILE)["receipt"]
    assert receipt["lines"][0] == {
        "kind": "input",
        "tokens": 100,
        "rate_pico": str(RATES.input),
        "pico": str(100 * RATES.input),
    }
    assert receipt["charged_usd"] == usd(nano_from_pico(int(receipt["total_pico"])))
    assert a_transfer("hold", 1).hash.hex() == "07" * 32
