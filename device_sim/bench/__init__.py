"""The project's standard loads, for a hub or any other server that speaks STOMP over WebSocket.

`loads` says what is sent and who watches, `reach` whether a server is there, `target` finds out what it costs the server,
`measure` runs a load, `program` is the command: it takes several servers in turns and prints a table and JSON.
"""
