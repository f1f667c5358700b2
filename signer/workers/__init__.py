"""Worker processes: how the daemon starts them, talks to them and gives up on them.

Token workers and document workers are programs of their own, started by exec (never forked from the daemon, which runs gRPC
threads) and spoken to over one socket pair each. A worker sees its end close when the daemon dies, and leaves by itself.

Rules of the room:
- Nothing here knows PKCS#11 or PDF: frames carry bytes, rooms give them meaning.
- What a worker says is decoded by a schema (msgspec), never unpickled: document workers are not trusted.
- A worker that stays silent past its time is killed, and every call it held learns that at once.
"""
