"""The record of every decision: written once, safe before it is answered, and provably unchanged years later."""
