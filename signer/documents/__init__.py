"""Document workers: the processes that parse what strangers send.

They hold no key, no PIN, no network and no journal, and run under limits of memory and time. What they answer is not trusted either:
a worker proposes the bytes to append to a document, the daemon checks, hashes and splices them itself (`formats.pades.update`), so a
compromised document worker cannot choose what is signed beyond an update to the document at hand.

Rules of the room:
- A document that costs too much, or kills its worker twice, fails alone; its neighbours go to the next worker.
- A worker in which half of the memory stays taken leaves, and another begins: what a document leaves behind fails none after it.
- Only values of `wire` cross the socket, decoded by schema.
- What visible signatures show is made in the daemon, once a plan (`appearances`), and crosses with each frame of documents; a worker
  places it and draws nothing.
"""
