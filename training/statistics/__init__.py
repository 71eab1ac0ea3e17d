"""How sure one may be of what the figures of a card say: each measure once, with its reference and its interval."""
