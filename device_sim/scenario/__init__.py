"""A fleet and its misfortunes in one file: `model` (what it may say), `load` (TOML, errors with line and key),
`schema` (the JSON schema and the table in the docs), `gallery` (the built-in ones).
"""
