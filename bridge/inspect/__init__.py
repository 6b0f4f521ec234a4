"""What an operator asks before or beside a running bridge: check, explain, advice."""
