"""What is predicted from a borrower's history, and why: models, exact explanations, and the order of work."""
