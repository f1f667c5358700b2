"""Demo material: a PKI, a SoftHSM token and a class of invented pupils with their report cards.

Rules of the room: nothing here is real and everything says so (names marked DEMO, personal numbers of a province that does not
exist, host names under `.invalid`); the same seed gives the same bytes; no PIN and no private key ever stands on a command line, and files
that hold one are created with mode 0600. The daemon never imports this room.
"""
