"""Documents in files of their own, as people write and print them: PDF, web pages, Word, Markdown, plain text."""
