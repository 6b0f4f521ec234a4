"""WebSocket (RFC 6455) for both roles, without I/O: the hub's server, the bridge's MQTT client, the simulator.

- `frames`: opcodes, headers, whole frames, Close payloads.
- `parser`: bytes in, messages and control frames out.
- `handshake`: the client's side of the upgrade; the server's is Tornado's.

No extension is offered or accepted. Nothing here imports another room of the hub.
"""
