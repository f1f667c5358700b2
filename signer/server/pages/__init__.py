"""The page for people (OWASP ASVS 4.0 level 2): set one's factors, see what waits, decide it, see what was signed in one's name.

- `door`: TLS, connections and limits; each request gets an answer with the headers that every answer has.
- `routes`: the table of what is served, and what each needs: nobody, a person, a fresh form.
- `sessions`, `forms`: who is signed in, on the server's side; what was posted, and that our own page posted it.
- `first_visit`, `sign_in`, `waiting`, `approvals`, `signed`, `account`: one file a matter of the person's.
- `views`, `words`: templates (Jinja, escaping, strict) and their texts, Vietnamese and English.
- `doors`: what is asked of `control`. `assembly`: all of it put together.

Rules of the room:
- Plain forms and links; the one script speaks to authenticators (WebAuthn) and nothing else works by it.
- No secret, name or personal number in a URL, a log line or a metric; ids in URLs are random and open nothing by themselves.
- Whoever is not who they say gets one answer, whatever was wrong, at the same time.
- What a person decides about is shown whole before, and bound by the factors they give (`purpose`).
"""

from signer.server.pages.assembly import pages_door
from signer.server.pages.door import PagesDoor
from signer.server.pages.doors import PageRooms

__all__ = ["PageRooms", "PagesDoor", "pages_door"]
