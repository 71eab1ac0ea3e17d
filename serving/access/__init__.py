"""Who may do what: whom a token names, what their role may ask for, and how often.

token_text   what a local token looks like
tokens       the file of local tokens, in which only hashes of secrets stand
jwts         tokens that the lender's own identity provider signs
roles        the roles, and the matrix of route, method and role (matrix.toml)
limits       how many requests a holder may send, and how many tokens may fail
rules        what the operator decides about all this (access.toml)
files        how these files are read, guarded and looked at again
why          why somebody was not let in, for the operator alone
door         all of it together: headers in, a caller or a refusal out
"""
