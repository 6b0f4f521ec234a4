"""How devices write what they measure, one format a file; `registry` lists them.

Written from the formats' own documents and without a look at the hub's decoders, so that the two check each other.
"""
