"""Whether a card that serves still sees the borrowers, and foretells the outcomes, that it was fitted on."""
