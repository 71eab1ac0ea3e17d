"""Which version serves from now on: who may say so, what changes for whom, and the record of it."""
