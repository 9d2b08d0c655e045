"""What a reward asks over HTTP: `retriever` and `judge` know what to ask."""
