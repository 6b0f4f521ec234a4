"""A fleet and its misfortunes in one file.

declared  the base of its tables, and bounds of figures
model     what it may say
load      from TOML, errors with line and key (`lines`)
check     what the model cannot see, and what a scenario comes to
schema    the JSON schema and the tables in the docs
builtin   those that come with the program, in `gallery/`
"""
