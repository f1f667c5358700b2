"""PKCS#11 tokens: the processes that hold them, the queue in front of them, and what can go wrong with them.

PKCS#11 v3.0 (OASIS). One pool per configured token; each of its workers is a process of its own that loads the module, logs in once and
signs digests (`worker`). The daemon's side (`pool`) never loads a module. Keys are made and destroyed by a process beside them
(`key_worker`, from the daemon's side `workshop`), which is there only while it has work. A token is named by label, serial or PKCS#11 URI
(`uri`, RFC 7512).

Rules of the room:
- `CKR_*` become our errors in `faults` and nowhere else; its table also says what heals each (docs/faults.md).
- A PIN is read by the worker from its reference, used for one login, and never crosses the socket. Before it is used, the token is known by
  what it shows to anybody (`identity`), and its counter is asked (`pin_guard`). Refused once, it is held for all workers (`places`).
- C_Initialize and C_Login run under a lock, one process at a time, and a starting worker is not killed (SoftHSM empties its token file
  for a moment at every login; `safe_copy` covers what remains).
- One thread makes all PKCS#11 calls of a process, unless the token is configured with several sessions.
- Keys of the store (`KeptKey`) travel with the digests they are to sign: a worker knows none of them beforehand, and holds a bounded number
  (`kept_keys`). Wrapped ones are encrypted by a key of the token and sealed to their credential by another (`wrapping`): no process of ours
  sees one in the clear.
- A signature that does not verify with the certificate's public key never leaves the worker.
- Digests come in frames of a size that the token works off in about 10 ms, so that one school's batch never holds a token longer than
  that, and a cancelled request stops within two frames.
"""
