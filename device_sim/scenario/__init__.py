"""A fleet and its misfortunes in one file: `model` (what it may say), `load` (TOML, errors with line and key, `lines`),
`check` (what the model cannot see),
`schema` (the JSON schema and the table in the docs), `builtin` and `gallery` (those that come with it).
"""
