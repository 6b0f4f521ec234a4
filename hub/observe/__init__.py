"""What an operator sees of a running hub: logs, metrics, loop lag, `/topic/$SYS/hub/stats`."""
