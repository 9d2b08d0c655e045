"""Questions of the user's own business -> worked answers of a language model, as rows for fine-tuning."""
