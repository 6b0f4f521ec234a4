"""Questions about what is stored. `Queries` is what the hub holds, as `store.queries`.

`latest` the newest value of each of many series; `history` the readings of one name, page by page; `buckets` aggregates of
many series over a range, with `bucket_plan` and `grid` as its pure parts; `catalogue` which devices, metrics and series
there are; `refused` the quarantine; `series` from names to series; `limits` what is too wide.

Rules: each answer is exact for everything committed before the question; nothing is gathered whole that can be long;
a question beyond its limits is refused with `QueryTooWideError`, which says what would be allowed.
"""

from storage.queries.queries import Queries

__all__ = ["Queries"]
