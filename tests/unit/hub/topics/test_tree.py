"""The tree finds what a naive matcher finds, and forgets what is taken away."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.topics.names import TopicError
from hub.topics.tree import TopicTree
from tests.support.matching import filters, matches, topics


@pytest.mark.parametrize(
    ("topic_filter", "yes", "no"),
    [
        ("a/+", ["a/b", "a/", "a/*", "a/$x"], ["a", "a/b/c", "A/b"]),
        ("a/#", ["a", "a/", "a/b", "a/b/c"], ["ab", "b/a"]),
        ("+/b", ["a/b", "/b"], ["$SYS/b", "a/b/"]),
        ("#", ["a", "/", "a/b"], ["$SYS", "$SYS/a"]),
        ("+", ["a", " "], ["/", "$SYS"]),
        ("+/#", ["a", "a/b"], ["$SYS/a"]),
        ("$SYS/#", ["$SYS", "$SYS/hub"], ["SYS/a"]),
        ("*/b", ["a/b"], ["$a/b"]),
        ("a//b", ["a//b"], ["a/b"]),
        ("a", ["a"], [" a", "a ", "A"]),
        ("é", ["é"], ["e\u0301"]),
    ],
)
def test_filters_match_as_the_table_of_the_reference_says(topic_filter: str, yes: list[str], no: list[str]) -> None:
    tree: TopicTree[int] = TopicTree()
    tree.add(topic_filter, 1)
    assert (yes, []) == ([topic for topic in yes if tree.match(topic)], [topic for topic in no if tree.match(topic)])


@given(st.lists(st.tuples(filters, st.integers(0, 5))), st.lists(st.integers(0, 30)), topics)
def test_the_tree_matches_as_a_naive_matcher_after_any_history(
    added: list[tuple[str, int]], removed: list[int], topic: str
) -> None:
    tree: TopicTree[int] = TopicTree()
    model: dict[tuple[tuple[str, ...], int], str] = {}
    for topic_filter, value in added:
        tree.add(topic_filter, value)
        model[tuple(topic_filter.replace("*", "+").split("/")), value] = topic_filter
    for index in removed:
        if model:
            key = sorted(model)[index % len(model)]
            tree.remove(model.pop(key), key[1])
    expected = Counter(value for (_, value), topic_filter in model.items() if matches(topic_filter, topic))
    assert expected == Counter(tree.match(topic))
    assert Counter(value for _, value in model) == Counter(tree)


def test_values_of_one_filter_keep_their_order_and_count_once() -> None:
    tree: TopicTree[str] = TopicTree()
    for value in ["x", "y", "x", "z"]:
        tree.add("a/b", value)
    assert ["x", "y", "z"] == tree.match("a/b")


def test_an_empty_tree_keeps_nothing_of_what_was_removed() -> None:
    tree: TopicTree[int] = TopicTree()
    for topic_filter in ["a/b/c", "a/+/#", "a/b"]:
        tree.add(topic_filter, 1)
    for topic_filter in ["a/b/c", "a/+/#", "a/b"]:
        tree.remove(topic_filter, 1)
    assert {} == tree._root.children


def test_what_is_not_there_cannot_be_removed_and_an_illegal_filter_not_added() -> None:
    tree: TopicTree[int] = TopicTree()
    with pytest.raises(KeyError):
        tree.remove("a", 1)
    with pytest.raises(TopicError):
        tree.add("a/#/b", 1)


def test_a_filter_of_many_wildcards_costs_a_bounded_number_of_nodes() -> None:
    tree: TopicTree[int] = TopicTree()
    filters_of_bombs = ["+/+/+/+", "+/+/+/#", "+/x/+/x", "x/+/x/+", "x/x/x/x", "#"]
    for number, topic_filter in enumerate(filters_of_bombs):
        tree.add(topic_filter, number)
    assert len(filters_of_bombs) == len(tree.match_nodes("x/x/x/x"))
    assert [] == [
        node for node in tree.match_nodes("/".join(["x"] * 1_000)) if 5 not in node.values and 1 not in node.values
    ]
