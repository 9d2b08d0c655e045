"""A file of personas -> those of a field, searchable: who might ask about a document. `dr distill personas`."""
