"""STOMP 1.0, 1.1 and 1.2 for a server, without I/O.

`dialects` holds the versions as rows; `decoder` (with `header_block` and `escapes`) turns bytes into frames, `encoder`
frames into bytes; `session` is the state machine of one connection, `transactions` what it has open, `heartbeat` its
clock. Time is an argument; nothing here knows a socket, a broker or a database.
"""
