"""`python -m bridge` is `telemetry-bridge`."""

from bridge.cli import main

if __name__ == "__main__":
    main()
