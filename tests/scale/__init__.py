"""Scale on paper: what one signature costs, measured, and what that makes for a Department, a city and the country (docs/scale.md).

- `measured.toml`: the figures, each with where it is from. `measure` finds those of this folder anew.
- `demand`: who signs how much; assumptions, each with its reason.
- `needs`: pure arithmetic between the two.
- `report`: the page; `python -m tests.scale` writes it, and a test holds it against the figures.
"""
