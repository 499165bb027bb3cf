"""What GET /metrics shows, in the form of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class ServeMetrics:
    """Counters of one server. Called from several threads at once."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "humanseg_requests", "Answers.", ["route", "status"], registry=registry
        )
        self._refused = Counter("humanseg_refused", "Refusals.", ["problem"], registry=registry)
        self._duration = Histogram(
            "humanseg_request_seconds",
            "From the end of the headers to the end of the answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._images = Counter("humanseg_images", "Pictures done.", ["people"], registry=registry)
        self._waited = Histogram(
            "humanseg_wait_seconds", "In the queue.", buckets=_SECONDS, registry=registry
        )
        self._computed = Histogram(
            "humanseg_compute_seconds",
            "From the bytes of a picture to those of its result.",
            buckets=_SECONDS,
            registry=registry,
        )

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a value that is read when it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def answered(self, route: str, status: int, problem: str, seconds: float) -> None:
        """Count an answer; `route` is the path's template, `problem` is empty where none was."""
        self._requests.labels(route, str(status)).inc()
        self._duration.labels(route).observe(seconds)
        if problem:
            self._refused.labels(problem).inc()

    def computed(self, *, waited: float, computed: float) -> None:
        """Take note of how many seconds a picture waited and took."""
        self._waited.observe(waited)
        self._computed.observe(computed)

    def image(self, *, people: bool) -> None:
        """Count a picture that was done."""
        self._images.labels("yes" if people else "no").inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
