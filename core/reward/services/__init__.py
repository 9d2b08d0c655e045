"""What a reward asks over HTTP: `client` asks until there is an answer, `retriever` and `judge` know what to ask."""
