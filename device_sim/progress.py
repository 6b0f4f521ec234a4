"""A status line on stderr while a command runs, when a person watches: stderr is a terminal. Nothing otherwise."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from rich.console import Console

REFRESH_S = 0.25


@contextlib.asynccontextmanager
async def status_line(describe: Callable[[], str]) -> AsyncIterator[None]:
    """Show what `describe` says, four times a second, until the block ends."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(describe()) as status:

        async def refresh() -> None:
            while True:
                await asyncio.sleep(REFRESH_S)
                status.update(describe())

        task = asyncio.create_task(refresh())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
