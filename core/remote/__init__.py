"""Services of others over HTTP: `client` asks until there is an answer, `engine` searches by what `adapters` know.

Standard library and our plain nouns only, but for `spec`: rewards use `client` in another interpreter too.
"""
