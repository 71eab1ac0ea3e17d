"""Decisions of record: what was asked and answered about each loan, written down before the answer leaves.

pieces      an answer cut into pieces, each with those whom it is about
shares      a request cut into what was sent about each subject
record      what is written of a request: figures in clear under a pseudonym, all else sealed for its subject
recorder    the way from a computed answer into the log, and from a repeated request to its first answer
opening     keys, vault, log and policy, opened for writing or for reading
outbox      events of other programs, such as an erasure, on their way into the log
lookup      a decision by its id
reading     a decision with the contribution of every feature, for its reviewer
cards       the models and policies of old decisions
policies    every policy that decided, kept by its digest
replay      a decision computed anew from its record, compared to the bit
expiry      the lender's terms carried out: ordered, keys destroyed, dropped
"""
