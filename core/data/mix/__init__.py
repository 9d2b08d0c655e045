"""Several sets of one kind -> one, each with its share."""
