"""A server of PostgreSQL for the tests: private, on loopback, gone with its process.

Its databases are made by copying one that was migrated once. Data lie in memory where
the machine has room there: fsync is on, as the ledger demands, and yet quick.
"""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

import psycopg

from benchmarks.rounds import free_port
from gateway.ledger.engine import open_engine
from tests.data.peers import require_peer, until

_USER = "postgres"
_MEMORY = Path("/dev") / "shm"
_START_SECONDS = 120.0
_ENGLISH = (
    *("--encoding=UTF8", "--locale=C.UTF-8"),
    *("--locale-provider=icu", "--icu-locale=en-US"),
)
"""An order of words that is not that of the characters, as hospitals have it."""
_HBA = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


def program(name: str) -> str:
    """Return a program of the newest PostgreSQL; skip or fail as for any peer."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else require_peer(name)


@dataclass
class Server:
    """A cluster in a folder of its own, and the server that runs on it."""

    folder: Path
    port: int = field(default_factory=free_port)
    options: Sequence[str] = ()
    _process: "subprocess.Popen[bytes] | None" = None

    def url(self, database: str, user: str = _USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def run(
        self, statement: str, database: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """Run one statement as the superuser, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def reload_until(self, name: str, value: str) -> None:
        """Have its files read again, until a setting has a value."""
        self.run("SELECT pg_reload_conf()")
        until(
            lambda: self.run(f"SHOW {name}") == [(value,)],
            _START_SECONDS,
            f"{name} is {value}",
        )

    def start(self) -> None:
        """Start it; ends with this process whatever becomes of that."""
        command = [
            *(program("postgres"), "-D", str(self.folder), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            *(part for option in self.options for part in ("-c", option)),
        ]
        log = (self.folder.parent / "log").open("ab")
        self._process = subprocess.Popen(
            [*_as_owner("--pdeathsig", "QUIT"), *command], stdout=log, stderr=log
        )
        log.close()
        until(self._answers, _START_SECONDS, "PostgreSQL answers")

    def kill(self) -> None:
        """End it at once, as `pg_ctl -m immediate` does: no check point."""
        self.stop(signal.SIGQUIT)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it; SIGINT rolls back what is open."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_SECONDS)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder.parent / "log").read_text()
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def new_server(options: Sequence[str] = ()) -> Server:
    """Make an empty cluster and start its server; `remove` ends both."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    home = Path(tempfile.mkdtemp(prefix="maira-postgresql-", dir=place))
    if os.geteuid() == 0:
        owner = pwd.getpwnam(_USER)
        os.chown(home, owner.pw_uid, owner.pw_gid)
    data = home / "data"
    subprocess.run(
        [
            *(*_as_owner(), program("initdb"), "-D", str(data), "-U", _USER),
            *("--no-sync", "--no-instructions", "--auth=trust", *_ENGLISH),
        ],
        check=True,
        capture_output=True,
    )
    (data / "pg_hba.conf").write_text(_HBA)
    server = Server(folder=data, options=options)
    server.start()
    return server


def remove(server: Server) -> None:
    server.kill()
    shutil.rmtree(server.folder.parent, ignore_errors=True)


def _as_owner(*more: str) -> list[str]:
    """Begin a command as the user who may run a server: root may not."""
    setpriv = [require_peer("setpriv"), *more]
    if os.geteuid() != 0:
        return setpriv if more else []
    return [*setpriv, f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]


@cache
def shared_server() -> Server:
    """Return the server of this process, with a database `ledger` to copy."""
    assert threading.current_thread() is threading.main_thread()
    server = new_server()
    atexit.register(remove, server)
    server.run("CREATE DATABASE ledger")
    open_engine(server.url("ledger")).dispose()
    server.run("CREATE ROLE guarded LOGIN PASSWORD 'open sesame'")
    return server


_made: set[str] = set()


def database_of(place: Path, template: str = "ledger") -> str:
    """Return the URL of the database of a folder, made where there is none yet."""
    server, name = shared_server(), name_of(place)
    if name not in _made:
        server.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        _made.add(name)
    return server.url(name)


def drop_databases() -> None:
    """Drop what `database_of` made: each has 300 files, and memory is not disk."""
    while _made:
        name = _made.pop()
        shared_server().run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def name_of(place: Path) -> str:
    return f"t{sha256(str(place.resolve()).encode()).hexdigest()[:24]}"
