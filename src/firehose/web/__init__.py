"""The faces: HTTP API, live streams and pages. It shows; it decides nothing."""
