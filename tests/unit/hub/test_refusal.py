"""Refusals carry the answer: one row for each reason; client text in explanations is bounded."""

import pytest

from hub.refusal import ANSWERS, MAX_QUOTE, CloseCode, Reason, Refusal, quoted


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_an_answer_for_every_transport(reason: Reason) -> None:
    answer = ANSWERS[reason]
    assert answer.close_code in CloseCode
    assert 400 <= answer.http_status < 600
    assert answer.meaning


def test_a_refusal_says_what_why_and_about_which_header() -> None:
    refusal = Refusal(Reason.BAD_HEADER, "max-rate must be a number", about="max-rate", receipt="r")
    assert "Bad header (max-rate)" == refusal.summary
    assert "Bad header (max-rate): max-rate must be a number" == str(refusal)
    assert CloseCode.PROTOCOL_ERROR == refusal.answer.close_code
    assert "Timeout" == Refusal(Reason.TIMEOUT, "too late").summary


def test_quoted_client_text_is_short_and_on_one_line() -> None:
    assert '"a\\nb\\r\\x00\\xe9"' == quoted("a\nb\r\0é")
    assert len(quoted("x" * 10_000)) < MAX_QUOTE + 20
    assert quoted("x" * 10_000).isascii()
