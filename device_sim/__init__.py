"""Simulated fleets and dashboards, and the proof that nothing was lost.

Where to start reading: `cli` (the commands) -> `scenario` (a fleet and its misfortunes in one file) -> `schedule` (what is
sent when) -> `run/publisher` (sends what is due) -> `links` (MQTT, STOMP) -> `ledger` (what was sent and acknowledged) ->
`verify` (ledger against database).

    sensors/    what devices measure, one kind a file, listed in `sensors/registry.py`
    faults/     what goes wrong, one family a file, listed in `faults/registry.py`
    payloads/   how devices write it, one format a file, listed in `payloads/registry.py`
    scenario/   the file: model, errors with line and key, the gallery
    schedule/   a scenario's messages and LinkActions in the order of time
    message     Message and LinkAction, what a schedule is made of
    run/        the programs around a schedule; `replay/` around a recording; `watch` a simulated dashboard
    figures/    what a run measures: latencies, time line, results, expectations; `report/` shows them
    chaos/      the whole system on this machine, with its parts killed while a fleet sends; `bench/` standard loads

Imports nothing from `bridge`: it sees the system as devices, dashboards and auditors do, from outside.
"""
