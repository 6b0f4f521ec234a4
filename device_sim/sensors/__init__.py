"""Believable sensors: a daily rhythm plus noise that remembers, the same series for the same seed.

`registry` lists them; to add one, write its file and one line there.
"""
