"""The command line: verbs, nothing else. Importing it does not load torch."""
