"""The example of docs/how-to/send-commands.md does what it says, as it stands there but for the port."""

import asyncio
import re
import sys
from pathlib import Path

from tests.support.hub import RunningHub
from tests.support.mosquitto import Mosquitto
from tests.support.running_bridge import running

PAGE = Path(__file__).parents[3] / "docs/how-to/send-commands.md"


async def run_example(directory: Path, hub: RunningHub) -> str:
    block = re.search(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    script = directory / "command.py"
    script.write_text(block[1].replace("8080", str(hub.port)))
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return out.decode()


async def test_the_example_says_that_the_broker_has_the_command(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, RunningHub(tmp_path / "hub") as hub:
        async with running(broker.url, hub.ws_url) as bridge:
            said = await run_example(tmp_path, hub)
            acknowledged = bridge.commands.counts.acknowledged

    assert (said, acknowledged) == ("the MQTT broker has it\n", 1)
