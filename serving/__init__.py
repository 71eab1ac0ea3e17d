"""How scores reach risk engines and reviewers: the HTTP service, the files of the batch verbs, and their one answer."""
