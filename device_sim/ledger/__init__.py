"""The ledger: what was sent and what was acknowledged; `writer` keeps it, `reader` reads it for the verdict."""
