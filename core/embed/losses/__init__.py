"""What training makes smaller: formulas on vectors. How texts become vectors is `core.embed.fit`'s to know."""
