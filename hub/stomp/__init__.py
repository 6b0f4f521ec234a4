"""STOMP 1.0, 1.1 and 1.2 for a server, without I/O.

`dialects` holds the versions as rows, `codec` turns octets into frames and back, `session` is the state machine of one
connection, `heartbeat` its clock. Time is an argument; nothing here knows a socket, a broker or a database.
"""
