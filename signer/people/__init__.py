"""The nouns of sole control: who there is, in which role, what they allow, and what several of them allow together.

Values only, as in `model`: frozen, compared by content, without I/O. The contract's messages have the same names; `access` has the rules
over them, `journal` their rows, `control` what is done with both. Nothing here holds a secret: factors and activation data are kept apart
(`factor`), and no value of this room shows one in its repr.

- `client`: clients, schools, quotas                       - `authorization`: what a holder allows (CSC v2: SAD; EN 419 241-1: SCAL2)
- `person`: people, their roles, who acts for whom         - `approval`: four eyes
- `factor`: what proves that it is the person              - `doors`: what these rooms ask of one another
"""
