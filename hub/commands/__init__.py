"""What the commands of `telemetry-hub` do; their options are in `hub/cli.py` and `db`."""
