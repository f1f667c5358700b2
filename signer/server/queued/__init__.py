"""Queued batches at the door: accepted from a stream (`submitting`), worked off in turns (`dispatch`, `turn`), handed out (`handing_out`).

A turn is a streamed batch whose documents come out of rows instead of a stream, under the same ids, plan, authorisation, quotas and
fairness; so what holds for BatchSignDocuments holds for it. What differs is what becomes of a document that can't be signed now: it waits.
"""
