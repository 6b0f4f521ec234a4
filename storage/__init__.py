"""Time-series storage in Postgres; knows nothing of STOMP, MQTT or HTTP.

Where to start: `store.Store` is the one object the hub holds; `writer` is the hot path behind it; `embedded` is the
Postgres that needs no installation.
"""
