"""Whom the decisions are about, kept apart from the log, so that a person can be erased while the log stays as it is.

keys         the operator's secrets: one for the vault, one that signs the log
vault        each subject's pseudonym and data key, made at first sight, destroyed by erasure, kept by a legal hold
erasable     the vault's file, in which nothing is left of what was deleted
holds        a legal hold and its reason
retention    which records are due by the lender's terms, and whose keys go with them
sealing      personal content as ciphertext under the subject's key
errors       how all of these refuse
"""
