"""Where what is shipped comes from: source archive and wheel, bill of materials, licences, known holes.

Rules of the room:
- Shipped is what requirements.lock names for the appliance's platform; its facts are read from what is installed here at those versions.
- The same lock makes the same bytes: no time, no path, no random number.
"""
