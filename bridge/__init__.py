"""MQTT in, STOMP out: at least once, acknowledged in order, nothing stored here.

A message's way, one file a step:
    mqtt_client  the paho client: takes what the socket has, sends PUBACKs
    mqtt_link    the session with the broker, connected again and again
    publishes    bytes of MQTT -> list of messages (no I/O)
    relay        what is unacknowledged: transactions, order, epochs, poison (no I/O)
    send_frames  list of messages -> one buffer of STOMP frames (no I/O)
    hub_link     the stomp.py client: one buffer a transaction, receipts back
    bridge       joins the two links and the relay, starts and drains them
Around it: settings, health (HTTP), metrics, backoff, errors, cli.
"""
