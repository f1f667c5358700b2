"""Benchmarks: how near the appliance comes to the token behind it, and where the rest of the time goes.

    python -m tests.bench [NAME…] [--quick] [--list]

Rules of the room:
- Every figure is a ratio of two things measured in one run, one right after the other, both warmed up: rates drift with the machine.
- The subject is the real daemon, reached through gRPC and mutual TLS from a process of its own; the reference never runs beside it.
- One file a kind of work (`sign_digests`, `pades`, …); `benches` lists them. `measure` takes the figures, `report` shows them.
- A result that fails fails the bench: rates are of signatures that came.
"""
