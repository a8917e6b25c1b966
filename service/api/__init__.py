"""The REST API, the stream of events and the board, one subject a file."""
