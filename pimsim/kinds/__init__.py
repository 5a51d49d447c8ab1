"""The kinds of sites that come with pimsim; each is found through its entry point, as a user's own is."""
