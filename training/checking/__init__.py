"""What to ask of a lender's own book before anything is fitted on it: `repayrank portfolio check`."""
