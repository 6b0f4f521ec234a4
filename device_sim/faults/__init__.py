"""Misfortunes, one family a file: values, sampling, clock, stream, link; `registry` lists them.

To add one, write its class in the file of its family and one line in the registry. `settings` says what a family may do.
"""
