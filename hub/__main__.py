"""`python -m hub` is `telemetry-hub`."""

from hub.cli import main

main()
