"""What every door that speaks HTTP stands on: connections that are bounded in number and patience, and so many requests a second.

- `connections`: who is connected, for how long, and whose turn it is. aiohttp speaks HTTP on them.
- `allowance`: how many a second. Pure.
- `body`: what was posted, so long and within such a time.
- `tls`: what a door proves itself with.
"""
