"""What our programs have in common at their start: `--version`, and a command line that shows no password.

Every user of a machine may read the command lines of its processes. A password there is removed from the
process's title as soon as the program runs, which is late: so the hub also says where passwords belong.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import setproctitle
import typer

HIDDEN: Final = "****"
_URL_PASSWORD: Final = re.compile(r"((?:^|=)[a-z+0-9]+://[^\s:/@]*:)\S+(?=@)|([?&](?:ssl)?password=)[^&\s]*")


def masked(argument: str) -> str:
    """Return an argument of the command line without the password of a URL in it."""
    return _URL_PASSWORD.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", argument)


def password_in_arguments() -> bool:
    """Return whether the command line holds a URL with a password."""
    return any(masked(argument) != argument for argument in sys.argv)


def hide_passwords() -> None:
    """Remove the passwords of URLs from this process's title."""
    if password_in_arguments():
        setproctitle.setproctitle(" ".join([sys.executable, *map(masked, sys.argv)]))


def installed_version() -> str:
    """Return the version of the package."""
    try:
        return version("telemetry-hub")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"


def _print_version(asked: bool) -> None:
    if asked:
        print(installed_version())  # noqa: T201 - the answer
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
]
