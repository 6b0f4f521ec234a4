"""What a payload error says."""

from hub.telemetry.errors import MAX_DETAIL_CHARS, PayloadError


def test_the_sentence_has_reason_and_detail() -> None:
    assert str(PayloadError("not_json", "at 3")) == "not_json: at 3"
    assert str(PayloadError("not_json")) == "not_json"


def test_a_hostile_detail_is_cut() -> None:
    assert len(PayloadError("not_json", "x" * 10_000).detail) == MAX_DETAIL_CHARS
