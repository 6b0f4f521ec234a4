"""Topic names and filters: `names` says what is legal, `tree` finds who matches. No I/O."""

from hub.topics.names import FilterLimits, TopicError, parse_filter, validate_topic
from hub.topics.tree import TopicTree

__all__ = ["FilterLimits", "TopicError", "TopicTree", "parse_filter", "validate_topic"]
