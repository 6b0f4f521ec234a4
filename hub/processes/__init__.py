"""Real programs as child processes: ports, the embedded MQTT broker, the supervisor that starts and ends them."""
