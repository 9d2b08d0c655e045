"""One file for each kind of source; `core.data.source` says what it must offer."""
