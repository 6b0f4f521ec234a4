"""Who gets which message, without I/O.

Read in this order: `publication` (a message and its bytes), `outbox` (what waits for one connection), `subscription`
(who wants what and how), `routing` (who gets a topic's messages), `broker` (the fan-out), `queues` and `queue_table` (work
queues), `agenda` (what is held back), `publisher` and `client` (one connection's view of all that).
"""
