"""How octets come and go: WebSocket (`burst_websocket`, `websocket`) and TCP (`tcp`), one `connection` behind both."""
