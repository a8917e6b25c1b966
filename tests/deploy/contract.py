"""The metrics that the world outside relies on: the one list that boards, rules and tests are held to."""

METRICS: dict[str, tuple[str, ...]] = {
    "foreshock_mentions_total": ("brand", "source", "sentiment"),
    "foreshock_window_mentions": ("brand",),
    "foreshock_expected_mentions": ("brand",),
    "foreshock_expected_mentions_upper": ("brand",),
    "foreshock_negative_share": ("brand",),
    "foreshock_anomaly_score": ("brand", "detector"),
    "foreshock_episode_severity": ("brand",),
    "foreshock_completeness_ratio": ("brand", "source"),
    "foreshock_collector_lag_seconds": ("source",),
    "foreshock_collector_cost_dollars_total": ("source",),
    "foreshock_notifications_total": ("channel", "outcome"),
    "foreshock_notifications_missed_total": (),
    "foreshock_auditor_heartbeat_seconds": (),
    "foreshock_ingest_max_lag_seconds": (),
    "foreshock_ingest_waiting_entries": (),
    "foreshock_dead_letters": (),
    "foreshock_store_used_ratio": (),
}
"""Name in the exposition, and its labels."""

ADDITIONAL: dict[str, tuple[str, ...]] = {
    "foreshock_deleted_mentions_total": ("brand", "source"),
    "foreshock_collector_forecast_dollars": ("source",),
    "foreshock_ingest_pending_entries": (),
    "foreshock_dead_letters_total": ("kind",),
    "foreshock_dead_letters_trimmed_total": (),
}
"""What the service shows of itself beyond that; on no board."""

WHERE_BEHIND: dict[str, tuple[str, ...]] = {
    "foreshock_ingest_backlog_entries": ("shard",),
    "foreshock_ingest_lag_seconds": ("shard",),
}
"""What is shown only of shards on which something waits to be counted."""

EXPORTED = METRICS | ADDITIONAL
"""Everything that `/metrics` shows at all times."""
