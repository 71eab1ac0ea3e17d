"""The search for a better size of a card's trees, and what shows whether it gained more than chance."""
