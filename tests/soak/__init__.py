"""The same work for hours: what the appliance holds must not grow with what it did.

    works       everything that is done in a round: formats, levels, keys, digests, stamps, evidence, verification, and what fails
    looks       what the appliance's processes hold, from /proc
    figures     slopes and differences over the looks, and what they are held against
    run         rounds against one daemon, a look after each
    report      docs/soak.md
    night       100,000 queued records, from the handing over to the picking up

`make soak` signs 12,000 documents; CI does a short form (tests/e2e/test_soak.py).
"""
