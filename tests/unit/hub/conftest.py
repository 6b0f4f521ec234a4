"""How much hypothesis does in the unit tests: enough to find what is common, quick enough to be run at each change."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unit", max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("unit")
