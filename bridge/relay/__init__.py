"""Messages on their way up, without I/O: what is in which transaction and not acknowledged yet."""
