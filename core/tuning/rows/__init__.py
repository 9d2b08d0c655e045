"""The rows of a run: of several artifacts, mixed by weight, as both trainers read them."""
