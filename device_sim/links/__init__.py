"""How messages leave the simulator: `link` says what a link promises, `devices` and `shared` keep it.

MQTT is spoken by hub/clients, STOMP and WebSocket by the hub's own codecs; no client library is imported here.
"""
