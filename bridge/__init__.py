"""MQTT in, STOMP out: at least once, acknowledged in order, nothing stored here.

A message's way, one file a step:
    mqtt_client  the paho client: takes what the socket has, sends PUBACKs
    mqtt_link    the session with the broker, connected again and again
    publishes    bytes of MQTT -> list of messages (no I/O)
    intake       what waits for its transaction, without repeats (no I/O)
    relay        what is unacknowledged: transactions, order, epochs (no I/O)
    poison       which message is to blame, when the hub refuses or dies (no I/O)
    send_frames  list of messages -> one buffer of STOMP frames (no I/O)
    hub_link     the connection to the hub, made again and again
    hub_connection  the stomp.py client: one buffer a transaction, receipts back
    bridge       joins the two links and the relay, starts and drains them
On the way down: command_frames, commands (no I/O).
Around it: settings, health (HTTP), status, metrics, backoff, errors, check, explain, cli.
"""
