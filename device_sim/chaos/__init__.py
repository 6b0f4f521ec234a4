"""Kill parts of the system on a schedule while a fleet sends, then prove from the ledger that nothing was lost.

    plan     when which part is killed, from a seed; pure
    stack    the parts: Postgres, MQTT broker, hub, bridge; how each is killed and started again
    run      the order of it all, from the first start to the verdict

Only for processes that it starts itself, on loopback. What it does not show is in docs/explanation/ledger.md.
"""
