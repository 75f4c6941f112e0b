"""What this daemon tells Prometheus: every series named here, and nothing else.

Owns names, labels, buckets and which series exist from the start. Must not know who calls it or why.
Does not guarantee that a series is fresh: `publish` shows the last pass, and a daemon whose passes
stopped keeps showing it (`last_reconcile_success_timestamp_seconds` then stands still).

Calls come from the event loop's thread only, the page is made there too, so a scrape sees whole passes.
"""

from eni_failover.metrics.recorder import Metrics

__all__ = ["Metrics"]
