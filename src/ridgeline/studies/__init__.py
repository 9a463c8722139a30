"""Studies: questions asked of trained networks, as compositions of the library's verbs."""
