"""What an operator sees of a running bridge: health, metrics, status."""
