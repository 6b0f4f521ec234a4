"""What a SUBSCRIBE may ask for, and what is refused with the header's name."""

import pytest

from hub.broker.options import (
    DEFAULT_PREFETCH,
    FOREIGN,
    MAX_PERIOD_S,
    AckMode,
    OnSlow,
    Options,
    parse_options,
    truth,
)
from hub.refusal import Reason, Refusal


def test_a_plain_subscribe_has_the_defaults() -> None:
    assert Options() == parse_options({"destination": "/topic/a", "id": "1", "durable": "false", "x-foo": "bar"})
    assert (AckMode.AUTO, DEFAULT_PREFETCH, OnSlow.DROP_OLDEST) == (
        Options().ack,
        Options().prefetch,
        Options().on_slow,
    )
    assert not Options().paced


@pytest.mark.parametrize(
    ("header", "value", "field", "expected"),
    [
        ("ack", "client", "ack", AckMode.CLIENT),
        ("ack", "client-individual", "ack", AckMode.INDIVIDUAL),
        ("prefetch-count", "1", "prefetch", 1),
        ("prefetch-count", "100000", "prefetch", 100_000),
        ("max-rate", "4", "period_s", 0.25),
        ("max-rate", "0.5", "period_s", 2.0),
        ("max-rate", "5e-324", "period_s", MAX_PERIOD_S),
        ("dead-band", "0.5", "dead_band", 0.5),
        ("on-slow", "conflate", "on_slow", OnSlow.CONFLATE),
        ("on-slow", "drop-oldest", "on_slow", OnSlow.DROP_OLDEST),
        ("on-slow", "disconnect", "on_slow", OnSlow.DISCONNECT),
        ("replay", "last", "replay_last", True),
    ],
)
def test_each_option_is_read(header: str, value: str, field: str, expected: object) -> None:
    assert expected == getattr(parse_options({header: value}), field)


@pytest.mark.parametrize("ack", ["client", "client-individual"])
def test_who_acknowledges_rather_loses_the_connection_than_a_message(ack: str) -> None:
    assert OnSlow.DISCONNECT == parse_options({"ack": ack}).on_slow
    assert OnSlow.CONFLATE == parse_options({"ack": ack, "on-slow": "conflate"}).on_slow


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *(("prefetch-count", value) for value in ("0", "-1", "", "x", "1.5", "+3", "100001", "9999999999", "\u0661")),
        *(("max-rate", value) for value in ("0", "-1", "", "x", "nan", "inf", "10001")),
        *(("dead-band", value) for value in ("0", "-0.1", "", "x", "nan", "inf", "-inf")),
        *(("on-slow", value) for value in ("", "drop", "Conflate", "drop-newest")),
        *(("ack", value) for value in ("", "Client", "individual")),
        *(("receipt-after-ack", value) for value in ("", "yes", "1", "TRUE")),
        *(("replay", value) for value in ("", "first", "Last")),
    ],
)
def test_a_value_that_is_not_legal_is_refused_by_name(header: str, value: str) -> None:
    with pytest.raises(Refusal, match=header) as refused:
        parse_options({header: value})
    assert (Reason.BAD_HEADER, header) == (refused.value.reason, refused.value.about)


def test_rate_or_dead_band_make_a_subscription_paced() -> None:
    assert parse_options({"max-rate": "1"}).paced
    assert parse_options({"dead-band": "1"}).paced


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("false", False), ("False", False)])
def test_truth_values_are_read_as_people_and_python_write_them(text: str, value: bool) -> None:
    assert value == truth({"requeue": text}, "requeue", default=not value)
    assert truth({}, "requeue", default=True)


@pytest.mark.parametrize("text", ["", "maybe", "TRUE", "1", "no", "true "])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(Refusal, match="requeue must be true or false"):
        truth({"requeue": text}, "requeue")


@pytest.mark.parametrize("name", [name for name in FOREIGN if name != "selector"])
def test_an_option_of_another_broker_that_would_lose_messages_is_refused_with_what_to_use(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_options({name: "true"})
    assert (Reason.NOT_SUPPORTED, name) == (refused.value.reason, refused.value.about)
    assert Options() == parse_options({name: "false"})
