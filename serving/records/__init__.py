"""The record of every decision: written once, safe before it is answered, and provably unchanged years later.

canonical    a record as bytes, in the one way it can be written
entry        what the hashes cover: a record's digest, its request, its place and the entry before it
merkle       one hash over all entries, and the proofs that lead to it
checkpoint   the number of records and that hash, signed
anchors      the file of checkpoints, outside the database
tables       what is asked of a database, whichever it is
sqlite       the tables in one file, and the settings under which a commit lasts
postgresql   the tables on a server, for several processes; `migrations` makes them, `schema` describes them, and
             `postgresql_form` is what they must look like
opening      the log as it is found at a start: whole, and not set back
callers      those who wait, and what each is told
store        the one writer: what waits is committed together, then answered
terms        how long each kind of record is kept: the lender's policy, read from a file
expiry       the signed orders by which records leave, and the check that none left without
dropping     what is ordered to go, gone
audit        everything read again; a receipt for one record
backup       a copy that can take its place
export       the log as files for an auditor
alone        their check, in one file that imports none of the above
"""
