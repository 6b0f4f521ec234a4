"""The versions: which one is spoken, and what each calls things."""

import pytest

from hub.stomp.dialects import BY_VERSION, SUBPROTOCOLS, VERSIONS, negotiate, pick_subprotocol


@pytest.mark.parametrize(
    ("accept_version", "version"),
    [
        (None, "1.0"),
        ("1.2,1.1,1.0", "1.2"),
        ("1.0,1.1,1.2", "1.2"),
        ("1.0, 1.1", "1.1"),
        (" 1.2 ", "1.2"),
        ("1.0", "1.0"),
        ("1.1,2.0", "1.1"),
        ("2.0", None),
        ("", None),
        (",,", None),
        ("1.3", None),
        ("1", None),
        ("x1.2", None),
        ("1.2;1.1", None),
    ],
)
def test_the_highest_common_version_is_spoken(accept_version: str | None, version: str | None) -> None:
    row = negotiate(accept_version)
    assert version == (row and row.version)


@pytest.mark.parametrize(
    ("offered", "picked"),
    [
        (["v10.stomp", "v11.stomp", "v12.stomp"], "v12.stomp"),
        (["v11.stomp", "v10.stomp"], "v11.stomp"),
        (["v10.stomp"], "v10.stomp"),
        (["mqtt", "v11.stomp"], "v11.stomp"),
        (["mqtt"], None),
        ([], None),
    ],
)
def test_the_best_known_subprotocol_is_answered_and_none_that_was_not_offered(
    offered: list[str], picked: str | None
) -> None:
    assert picked == pick_subprotocol(offered)
    assert ("v12.stomp", "v11.stomp", "v10.stomp") == SUBPROTOCOLS


def test_the_rows_are_the_table_of_the_versions() -> None:
    assert "1.0,1.1,1.2" == VERSIONS
    table = {
        version: (
            "".join(sorted(row.escapes)),
            row.heart_beats,
            row.ack_key,
            row.ack_header,
            row.subscription_id_required,
        )
        for version, row in BY_VERSION.items()
    }
    assert {
        "1.0": ("", False, "message-id", False, False),
        "1.1": ("\\cn", True, "message-id", False, True),
        "1.2": ("\\cnr", True, "id", True, True),
    } == table
    assert ["1.0"] == [version for version, row in BY_VERSION.items() if row.trims_values]
