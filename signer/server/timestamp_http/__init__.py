"""The built-in time-stamping authority over HTTP (RFC 3161 §3.4): a TimeStampReq is posted, a TimeStampResp comes back with status 200.

- `door`: what is asked, and how each answer is said: a status of HTTP, or a PKIFailureInfo inside the protocol.
- Its connections and how many a second it grants: `server.http`.

Rules of the room:
- What is no request for a timestamp (method, path, type, length, patience, rate) gets a status and one line of text. What is one, however
  broken, gets a TimeStampResp: clients of the protocol read nothing else.
- Nothing a client does or leaves undone is held for longer than `idle_s`, nor in an unbounded number: connections, bytes, requests.
- The key is used last, and not for a client that has gone.
"""

from signer.server.timestamp_http.door import TimestampDoor

__all__ = ["TimestampDoor"]
