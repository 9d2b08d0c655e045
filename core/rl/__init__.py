"""Before a training by rewards, and around it: `dr rl`."""
