"""What to ask an engine of each kind, and how to read what it says; one module a kind."""
