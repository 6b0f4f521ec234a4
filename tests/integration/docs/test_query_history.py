"""The examples of docs/how-to/query-history.md run, and say what the page says."""

import re
import time
from pathlib import Path
from types import SimpleNamespace

from storage.quarantine import QuarantinedPayload
from storage.reading import Reading
from storage.store import Store
from tests.support.waiting import wait_until

PAGE = Path(__file__).parents[3] / "docs/how-to/query-history.md"


def examples() -> SimpleNamespace:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    space: dict[str, object] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), space)  # noqa: S102 - the page's own examples
    return SimpleNamespace(**space)


async def test_the_examples_run(database_url: str) -> None:
    page = examples()
    store: Store = await page.open_store(database_url)
    await wait_until(lambda: store.health()["ok"])
    minute = 60_000_000
    end = page.NOW_US - page.NOW_US % minute
    names = [(f"press-{number}", "temperature") for number in range(3)]
    await store.write([Reading(*name, end - at * minute, float(at), "Cel") for name in names for at in range(1, 91)])
    await store.quarantine(QuarantinedPayload("devices/x", b"{", "decode", time.time_ns() // 1000))

    assert [f"press-{number}/temperature [Cel] number" for number in range(3)] == await page.list_series(store)
    assert dict.fromkeys(names, 1.0) == await page.newest(store, names)
    hour = await page.last_hour(store, *names[0])
    assert len(hour) in {59, 60}
    assert hour == sorted(hour)
    assert [1.0, 2.0, 3.0] == await page.last_three(store, *names[0])
    curve = await page.curve(store, *names[0])
    assert 1.0 == min(low for _, low, _, _ in curve)
    week = await page.days(store, *names[0])
    assert 1 <= len(week) <= 2
    assert {name: 60 for name, _ in names} == await page.fleet(store, names)
    message = await page.too_wide(store, *names[0])
    (shown,) = re.findall(r"^`(too wide: .*), …`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert message.startswith(shown)
    assert ["devices/x: decode"] == await page.refused(store)
    await store.close()
