"""Names by filter: the naive matcher and the tree of names always agree."""

from hypothesis import given
from hypothesis import strategies as st

from hub.topics.name_tree import NameTree
from hub.topics.names import parse_filter
from tests.support.matching import filters, matches, topics


@given(st.lists(st.tuples(topics, st.booleans()), max_size=30), filters)
def test_exactly_the_names_that_match_are_found_once(steps: list[tuple[str, bool]], topic_filter: str) -> None:
    tree: NameTree[str] = NameTree()
    known: set[str] = set()
    for name, added in steps:
        if added:
            tree.add(name, name)
            known.add(name)
        elif name in known:
            tree.remove(name)
            known.remove(name)
    found = list(tree.matching(parse_filter(topic_filter)))
    assert sorted(name for name in known if matches(topic_filter, name)) == sorted(found)
    assert all((name in known) == (tree.get(name) is not None) for name, _ in steps)


def test_the_tree_may_change_while_it_is_read() -> None:
    tree: NameTree[int] = NameTree()
    for number in range(10):
        tree.add(f"a/{number}", number)
    seen = []
    for number in tree.matching(("a", "+")):
        seen.append(number)
        tree.remove(f"a/{number}")
        tree.add(f"b/{number}", number)
    assert list(range(10)) == seen


def test_a_name_has_one_value_and_nothing_is_left_of_what_was_removed() -> None:
    tree: NameTree[int] = NameTree()
    tree.add("a/b", 1)
    tree.add("a/b", 2)
    tree.add("a", 3)
    assert (2, 3, None) == (tree.get("a/b"), tree.get("a"), tree.get("a/b/c"))
    tree.remove("a/b")
    assert [3] == list(tree.matching(("#",)))
    tree.clear()
    assert [] == list(tree.matching(("#",)))
