"""What a filter matches, written as MQTT 3.1.1 section 4.7 says it and in no other way: the tests' word on matching."""

from hypothesis import strategies as st

_LEVELS = ["", "a", "b", "$a", "*"]


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic is one of a filter's; `*` as a whole level stands for `+`."""
    wanted = ["+" if level == "*" else level for level in topic_filter.split("/")]
    levels = topic.split("/")
    if wanted[0] in {"+", "#"} and topic.startswith("$"):
        return False
    if wanted[-1] == "#":
        wanted.pop()
        if len(levels) < len(wanted):
            return False
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(want in {"+", level} for want, level in zip(wanted, levels, strict=True))


# Few levels, so that they meet.
topics = st.lists(st.sampled_from(_LEVELS), min_size=1, max_size=4).map("/".join).filter(bool)
filters = st.builds(
    lambda levels, rest: "/".join([*levels, *(["#"] if rest else [])]),
    st.lists(st.sampled_from([*_LEVELS, "+"]), min_size=0, max_size=3),
    st.booleans(),
).filter(bool)
