"""When a message was received, in µs since 1970 UTC: a µs of its own for each.

A reading's identity is series and time, by which repeats are known. For a reading without a time that is the time of
receipt; two that were received together, and both acknowledged, are no repeats and must not share it.
"""

from hub.telemetry.validation import US_PER_S
from storage.reading import Reading


def before_next(last_us: int, now_us: int) -> int:
    """Return the µs before the next message's: it is received now, or behind the last one.

    `now_us` itself counts again when the clock was set back by a second or more.
    """
    return max(now_us - 1, last_us) if last_us - now_us < US_PER_S else now_us - 1


def set_apart(readings: list[Reading], received_us: int) -> int:
    """Give the readings of one message that have its time, and are of one series, a µs each; return the last µs used."""
    newest: dict[tuple[str, str], int] = {}
    for position, reading in enumerate(readings):
        if reading.time_us == received_us:
            series = (reading.device, reading.metric)
            time_us = newest[series] = newest.get(series, received_us - 1) + 1
            if time_us != received_us:
                readings[position] = reading._replace(time_us=time_us)
    return max(newest.values(), default=received_us)
