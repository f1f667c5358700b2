"""What the appliance tells about itself: JSON events and Prometheus metrics, alike in the daemon and its workers.

Rules of the room:
- One event is one line, whatever the names in it contain; a secret is never in it.
- No label and no series is made from a pupil, a teacher, a document or a caller's text: every label's values are known at start.
- Rooms above get a `Metrics` holder handed in; nothing here is global but the logging set-up.
"""
