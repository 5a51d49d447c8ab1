"""Plans that are given, by a file or a mapper: checked, and made whole with what follows from them."""
