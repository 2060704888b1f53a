"""The command tree as values, and what is written from it: completions, man pages, the CLI reference."""
