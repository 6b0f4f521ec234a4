"""Alembic's migrations, run by `storage.migrate` under an advisory lock."""
