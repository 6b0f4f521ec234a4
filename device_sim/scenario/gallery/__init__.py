"""The built-in scenarios: one TOML file each, named as the scenario. `device_sim.scenario.builtin` reads them."""
