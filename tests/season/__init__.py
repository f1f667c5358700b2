"""The last week of May in virtual time: schools as they are, the appliance's own queue, a token of any rate (docs/season.md).

- `week`: which schools there are, who signs what in them, and when they come.
- `token`: the queue and the frames of `signer.tokens.pool`, with a clock that is a number.
- `report`: the page; `make season` writes it.

The load of `tests.load` is real and lasts minutes; this one is computed and lasts a week.
"""
