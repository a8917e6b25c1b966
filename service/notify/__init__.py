"""Who must hear of an event, in which words, by which channel, and until it has arrived."""
