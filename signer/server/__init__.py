"""The gRPC door: takes a message, turns it into the path's values, calls the path, turns the outcome into a message.

Serves `proto/signer/v1` with gRPC health checking and reflection beside it. Rules of the room:
- Handlers convert, call, convert; what may be done and in which order stands in `pipeline`.
- Handlers raise errors of our tree; `signer.rpc_status` is the one place that turns them into codes, and `door` the one that applies it.
- No PKCS#11, PDF or XML work on the event loop.
- Every method of the contract answers: one that this release does not serve with UNIMPLEMENTED/NOT_SERVED_YET (`unserved`).
"""
