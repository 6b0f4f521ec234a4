"""Commands on their way down, without I/O."""
