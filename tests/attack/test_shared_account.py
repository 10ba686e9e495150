"""All customers share the upstream's account: what one leaves there, others and the operator could come across."""

from dialects.town import CHAT


def test_conversation_is_not_kept_in_the_account_that_all_share(raided, rogue):
    customer = raided.customer()
    assert customer.hear(CHAT, store=True, metadata={"project": "secret"}).status == 200
    assert "store" not in rogue.calls[-1].json
    assert customer.hear(CHAT, store=False).status == 200
    assert rogue.calls[-1].json["store"] is False
