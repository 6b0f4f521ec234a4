"""`telemetry-hub demo`: the whole system as processes, its status line and its proof."""
