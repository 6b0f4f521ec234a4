"""The one back-off: full jitter, growing to a bound, until something comes of it or the task is cancelled.

It is not a supervisor: it retries one session, and whether that was of use is the session's to say. Full jitter (a random
pause between zero and the bound) keeps many bridges from returning in step after a broker's restart.
"""

from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from bridge.errors import LinkError

FIRST_PAUSE_S = 0.1


async def until_useful(
    session: Callable[[], Awaitable[None]], max_pause_s: float, failed: Callable[[str], None]
) -> None:
    """Call `session` until it does not raise LinkError; tell `failed` each time why it did."""

    def report(state: RetryCallState) -> None:
        if state.outcome is not None:
            failed(str(state.outcome.exception()))

    retrying = AsyncRetrying(
        wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=max_pause_s),
        retry=retry_if_exception_type(LinkError),
        before_sleep=report,
        reraise=True,
    )
    await retrying(session)
