"""MQTT in, STOMP out: at least once, acknowledged in order, nothing stored here.

The way of a message, and back as a PUBACK:
    mqtt      one session with the broker, connected again and again (paho itself is in hub/clients)
    relay     what is unacknowledged: intake, transactions, order, epochs, poison (no I/O)
    hub       STOMP frames, and the connection to the hub, made again and again (stomp.py)
    bridge    joins the two sides and the relay; starts and drains them
On the way down: `down`, the commands (no I/O).
Around it: `observe` (health, metrics, status, advice, drops), `inspect` (check, explain), attempts, settings, errors, cli.
"""
