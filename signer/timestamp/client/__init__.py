"""The RFC 3161 client that trusts nobody: outside authorities, asked in order of preference, every answer verified before it is used.

    TimestampClient.stamp     the first authority that is ready; the next one when it fails                 `client`
      Tsa.ask                 one request, the answer verified in full, the authority judged by it           `tsa`
        Question              waits for its turn, leaves, is answered                                        `question`
        Gate                  what it passes before it leaves:                                               `gate`
          Turns               so many at once, first come, first served                                      `turns`
          Health              may it be asked? ready, left alone after failures, quarantined after a lie     `health`
          Pace                when may the next request leave?                                               `pace`
        Transport.post        HTTP (RFC 3161 §3.4): kept-alive connections, TLS, authentication              `transport`
          Exchange            one request over one of them, or over a second where the first was closed      `exchange`
          Connection          bytes: a request out, an answer in, within limits                              `connection`
        Past                  what it did lately, for people                                                 `past`

Rules of the room:
- What leaves it went through `verify_timestamp`, whatever the connection, the status or the authority's past.
- `AskFailed` says how one authority failed one request; it stays inside. Callers see TimestampUnavailable, or TimestampInvalid when all
  that answered lied.
- A failure may be the network's and passes; a lie is the authority's: one is enough for quarantine.
- `health` and `pace` are pure: the time is an argument, in seconds on the loop's clock.
- Answers, headers and status texts are strangers' words: bounded, never a metric's label.
"""

from signer.timestamp.client.client import TimestampClient

__all__ = ["TimestampClient"]
