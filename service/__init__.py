"""Who must know, and what happens next? Storage, pipeline, episodes, notifications, REST, metrics, page, commands."""
