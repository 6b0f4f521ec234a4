"""The carriers of bytes: WebSocket (`burst_websocket`, `websocket`) and TCP (`tcp`), one `connection` behind both."""
