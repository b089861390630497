"""The web page: classify, generate, edit, and look at runs."""
