"""Who gets which message, without I/O.

Read in this order: `publication` (a message and its octets), `outbox` (what waits for one connection), `subscription`
(who wants what and how), `broker` (the fan-out), `queues` (work queues), `client` (one connection's view of all that).
"""
