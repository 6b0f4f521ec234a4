"""Where a payload came from, as far as a decoder may know it: computed once for each topic, then cached."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """One topic under one route. `device` is the route's level of the topic, or the whole topic where it names none."""

    topic: str
    device: str
    device_in_route: bool = True
    arrays: bool = False

    def scalar_series(self) -> tuple[str, str]:
        """Return (device, metric) for a payload that is one bare value (device-formats section 2).

        The route's device keeps its name and the metric is `value`; without one the last level is the metric.
        """
        if self.device_in_route:
            return self.device, "value"
        device, separator, metric = self.topic.rpartition("/")
        return (device, metric) if separator and device else (self.topic, "value")
