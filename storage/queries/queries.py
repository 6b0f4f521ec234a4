"""The questions, on connections of the query engine; the one object that the hub holds for them."""
