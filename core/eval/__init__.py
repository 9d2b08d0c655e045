"""An index (or a run file) and judgements become scores (artifact of `eval`). `dr eval`, `dr eval compare`."""
