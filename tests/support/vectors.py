"""Where the test vectors lie (`tests/vectors/README.md` says what they are)."""

from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"
SENML = VECTORS / "senml"
MACHINE_TEMPERATURE = VECTORS / "nab" / "machine_temperature_system_failure.csv"
