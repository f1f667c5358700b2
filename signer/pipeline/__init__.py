"""The path of a document, written once, in order. The only room that knows the order.

 1. same ids before?      a stored outcome is returned, a parked one completed; other content is refused     `document`
 2. credential usable?    certificate valid now, algorithm fits the key; meant for it, believed, not revoked  `plan`, `signer_check`
 3. prepare               where documents must be parsed, a worker answers; we check it                       `forms`
 4. digest                of what the profile signs: what the key will sign                                   `forms`
 5. intent, durable       from here the key may be used; ids that were taken for new and are not: back to 1    `key_use`
 6. sign                  the token's fair queue; the worker verifies before it answers                       `key_use`
 7. timestamp             over the signature, verified; else the item is parked                               `stamping`
 8. assemble              what is added to the document; above B-T: parked, then raised to its level          `parking`, `raising`
 9. outcome, durable      with the material a repeat is answered from                                         `finishing`, `parking`
10. release

Beside the path: signed documents raised to a level (`extension`), timestamps for what callers bring (`imprints`), who gives them
(`authorities`), and evidence records (RFC 4998) over many documents at once (`evidence`, `evidence_batch`, `evidence_renewal`,
`evidence_proofs`).

What is left of a client's and a school's quotas is asked for at step 2, once a lot; a stream waits for its rate before it (`pacing`).

Rules of the room:
- Up to step 5 an item can be cancelled at any moment; from there on it runs to its journalled outcome, and only the queue of step 6
  still lets it go (nothing was signed by then).
- The level asked for is given or the item fails.
- Every use of any key, the time-stamping authority's included, passes through `key_use`.
- An item's failure is that item's result, never its batch's.
"""
