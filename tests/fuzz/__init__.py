"""A fuzzer for each reader: mutated files, of which each is read or refused with a message of pimsim's own."""
