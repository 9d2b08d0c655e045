"""data -> embed -> index -> serve / eval. Stages meet on disk, through artifacts; see `core.artifact`."""
