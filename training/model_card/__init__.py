"""The model card: what a version is for, what it was made from, how good and how fair it is, and who answers for it."""
