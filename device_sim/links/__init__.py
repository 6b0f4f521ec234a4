"""How messages leave the simulator: `link` says what a link promises, `mqtt` and `stomp` keep the promise.

Only `mqtt_client` imports paho, only `stomp_session` imports stomp.py.
"""
