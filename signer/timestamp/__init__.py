"""Time: RFC 3161 with RFC 5816, as ETSI EN 319 422 profiles it; the built-in timestamp authority, and verification that trusts nobody.

A bare "token" is PKCS#11's in this project; RFC 3161's TimeStampToken is a timestamp.

- `tsp`: requests and responses; `tst_info`: what a timestamp states; `template`: timestamps from templates. All pure.
- `verify`: is this timestamp what was asked for, and may it be believed? Pure too: trust anchors and the time are arguments.
- `authority`: the built-in authority, a value with doors for the key, the serial numbers and the clock.
- `client`: outside authorities over HTTP, in order of preference, none of them trusted.

Rules of the room:
- A timestamp is used only after `verify_timestamp` returned; what is wrong is named in TimestampInvalid.
- A timestamp is issued only with a serial number never used before and a time inside the accuracy it states.
- Times are aware and in UTC. Nonces and times arrive as arguments.
"""
