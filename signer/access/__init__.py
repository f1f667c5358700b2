"""Who may: which client calls (mutual TLS), and for which schools.

Roles, activation and approvals will stand here beside it. Rules of the room: decisions are pure functions of values; another school's
things look exactly as if they did not exist.
"""
