"""The `dr` command: parse, dispatch, report. All retrieval happens in `core`."""
