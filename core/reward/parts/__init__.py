"""The parts of a reward. `spec` is what a recipe says of them, `build` makes them of what its JSON file says."""
