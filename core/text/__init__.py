"""Text as terms. `spec` is what a recipe says, `analyzer` joins the parts; `normal` is standard library only."""
