"""A converter, a device, a topology and a kind of site, each in one file, that pimsim finds by entry points."""
