"""How a card comes to be: cohort, fitting, evaluation, and the record of all three."""
