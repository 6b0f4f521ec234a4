"""Settings: `model` is the table, `limits` its section of bounds, `source` reads them, `table` and `view` show them."""
