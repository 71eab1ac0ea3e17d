"""How many requests came, how they ended and how long they took, in the text form that Prometheus reads."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, seconds."""

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass
class Metrics:
    """Counters of one process. BentoML's own registry is not used: it can be filled only once in a process."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    buckets: dict[str, list[int]] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0

    def saw(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is one of the service's own paths, never the path as sent."""
        self.requests[route, status] += 1
        self.buckets.setdefault(route, [0] * (len(BOUNDS) + 1))[bisect_left(BOUNDS, seconds)] += 1
        self.seconds[route] += seconds  # type: ignore[assignment]  # a Counter adds floats as well

    def text(self, gauges: Mapping[str, float], by_card: Mapping[str, Mapping[str, float]] | None = None) -> bytes:
        """Return the counters as text, and gauges of others by their names, some of them with a value for each card."""
        lines = ["# HELP repayrank_requests_total Requests answered.", "# TYPE repayrank_requests_total counter"]
        lines += [
            f'repayrank_requests_total{{route="{route}",status="{status}"}} {count}'
            for (route, status), count in sorted(self.requests.items())
        ]
        lines += [
            "# HELP repayrank_request_seconds Time from the first byte to the answer.",
            "# TYPE repayrank_request_seconds histogram",
        ]
        for route, counts in sorted(self.buckets.items()):
            below = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
                below += count
                lines.append(f'repayrank_request_seconds_bucket{{route="{route}",le="{bound}"}} {below}')
            lines.append(f'repayrank_request_seconds_sum{{route="{route}"}} {self.seconds[route]:.6f}')
            lines.append(f'repayrank_request_seconds_count{{route="{route}"}} {below}')
        lines += [
            "# HELP repayrank_in_flight Scoring requests being worked on or waiting.",
            "# TYPE repayrank_in_flight gauge",
            f"repayrank_in_flight {self.in_flight}",
        ]
        for name, value in gauges.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value:g}"]
        for name, values in (by_card or {}).items():
            lines += [f"# TYPE {name} gauge", *(f'{name}{{card="{card}"}} {value:g}' for card, value in values.items())]
        return ("\n".join(lines) + "\n").encode()
