"""The holders' control over their keys (Law on Electronic Transactions 2023; EN 419 241-1: sole control): what people do, step by step.

    people          who has which role, who acts for whom; a Department's import
    enrolment       person → key → certificate → factors, handed over by a one-time code
    factors         whether it is the person: limited tries, growing delay, lock; no oracle
    authorizing     a holder allows an exact list → SAD; asked for here, or on the holder's own page
    activation      a SAD is presented with a request: believed, spent once, held against each document
    approvals       four eyes: steps in their order, each a statement in the journal

Rules of the room: decisions are `access`' pure functions; rows change together with their journal entry (`journal`); time comes from the
injected clock; no pupil's name and no secret reaches a row or an entry in the clear. What the pipeline needs of here stands in
`people.doors`.
"""
