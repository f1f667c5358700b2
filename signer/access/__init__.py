"""Who may: which client calls (mutual TLS), what and for which schools, how much; who acts in which role, and what several must allow.

- `callers`, `methods`, `quotas`: clients               - `roles`, `role_rules`, `department`: people
- `factor_rules`, `totp`, `sad`: what a holder allows   - `approvals`, `approval_policies`: four eyes

Rules of the room: decisions are pure functions of values, time among them; another school's things look exactly as if they did not exist.
"""
