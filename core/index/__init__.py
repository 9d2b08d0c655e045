"""A corpus (artifact of `data`) becomes a search index (artifact of `index`). `dr index build`, `dr index search`."""
