"""A key carries its own checksum: what was mistyped or made up is refused without a look-up."""

import hashlib
import hmac
import random
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core.keys import (
    ALPHABET,
    KEY_CHARACTERS,
    PATTERN,
    Mode,
    checksum,
    digest,
    is_well_formed,
    make_key,
    redacted,
    visible_prefix,
)

MODES = st.sampled_from(Mode)
ENOUGH = st.binary(min_size=64, max_size=64).filter(lambda data: sum(byte < 248 for byte in data) >= 30)
KEY = make_key(Mode.LIVE, bytes(range(64)))


@given(MODES, ENOUGH)
def test_made_key_is_well_formed_and_has_the_documented_form(mode, random_bytes):
    key = make_key(mode, random_bytes)
    assert is_well_formed(key)
    assert re.fullmatch(PATTERN, key)
    assert key.startswith(f"runapi_{mode}_")
    assert len(key) == KEY_CHARACTERS == 48


def test_checksum_is_the_crc_32_in_base62():
    body = KEY[:-6]
    number = 0
    for character in KEY[-6:]:
        number = number * 62 + ALPHABET.index(character)
    assert number == zlib.crc32(body.encode())
    assert checksum("") == "000000"


@given(MODES, ENOUGH, st.integers(0, KEY_CHARACTERS - 1), st.characters(codec="utf-8"))
def test_any_one_character_change_is_refused(mode, random_bytes, place, character):
    key = make_key(mode, random_bytes)
    changed = key[:place] + character + key[place + 1 :]
    assert is_well_formed(changed) is (changed == key)


def test_every_one_character_change_of_one_key_is_refused():
    for place in range(KEY_CHARACTERS):
        for character in ALPHABET + "_- \n\0é":
            changed = KEY[:place] + character + KEY[place + 1 :]
            assert is_well_formed(changed) is (changed == KEY), changed


@pytest.mark.parametrize("place", range(KEY_CHARACTERS - 1))
def test_two_neighbours_that_change_places_are_refused(place):
    swapped = KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :]
    assert is_well_formed(swapped) is (swapped == KEY)


def test_twenty_thousand_made_up_keys_of_the_right_shape_are_refused():
    chance = random.Random(62)
    for _ in range(20_000):
        made_up = f"runapi_{chance.choice(['live', 'test'])}_" + "".join(chance.choices(ALPHABET, k=36))
        assert re.fullmatch(PATTERN, made_up)
        assert not is_well_formed(made_up)


@pytest.mark.parametrize(
    "text",
    ["", "runapi_live_", "sk-" + "a" * 45, KEY + "0", KEY[:-1], " " + KEY, KEY + "\n", KEY.upper(), "é" * 48],
)
def test_other_text_is_refused(text):
    assert not is_well_formed(text)


@pytest.mark.parametrize("character", ["-", " ", "\n", "\0", '"', "_"])
def test_right_checksum_over_characters_that_no_key_has_is_refused(character):
    body = "runapi_live_" + character * 30
    assert not is_well_formed(body + checksum(body))


def test_live_and_test_keys_cannot_be_turned_into_each_other():
    assert not is_well_formed(KEY.replace("runapi_live_", "runapi_test_"))


def test_bytes_that_would_favour_some_characters_are_skipped():
    assert make_key(Mode.TEST, bytes([248, 255] * 20 + [61] * 30))[12:42] == "z" * 30
    counts = dict.fromkeys(ALPHABET, 0)
    for byte in range(248):
        counts[make_key(Mode.TEST, bytes([byte] * 30))[12]] += 1
    assert set(counts.values()) == {4}


def test_too_few_random_bytes_make_no_key():
    with pytest.raises(ValueError, match="too few"):
        make_key(Mode.LIVE, bytes(29))
    with pytest.raises(ValueError, match="too few"):
        make_key(Mode.LIVE, b"\xff" * 64)


def test_digest_is_hmac_sha_256_and_depends_on_the_pepper():
    assert digest(KEY, b"pepper") == hmac.new(b"pepper", KEY.encode(), hashlib.sha256).digest()
    assert digest(KEY, b"pepper") != digest(KEY, b"other")


def test_digest_takes_whatever_a_header_held():
    assert len(digest("\udc80é\0", b"pepper")) == 32


def test_visible_prefix_shows_four_characters_of_the_secret():
    assert visible_prefix(KEY) == KEY[:16]
    assert visible_prefix(KEY).removeprefix("runapi_live_") == KEY[12:16]


@given(st.text(max_size=200))
def test_redacted_credential_shows_seven_characters_at_most(text):
    shown = redacted(text)
    assert shown == "***" or (len(shown) == 10 and len(text) >= 13)
    assert shown.isascii()
    assert shown.isprintable()


def test_redacted_key_has_openais_form():
    assert redacted("sk-abcdefghijklmnopyz") == "sk-ab***yz"
