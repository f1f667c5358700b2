"""How a process shuts itself in: the daemon and its workers give up, of their own accord, what they will not need.

| means | takes away | from whom |
|---|---|---|
| PR_SET_DUMPABLE, RLIMIT_CORE (`memory`) | core dumps; reading its memory and environment by other processes of the same user | all |
| mlockall(2) (`memory`) | swapping | token workers |
| seccomp(2) filters (`syscalls`) | sockets, other programs, other processes | document workers; the network: token workers that need none |
| Landlock (`files`) | every file but the interpreter's and the system's libraries, to read | document workers |

Rules of the room:
- None of it needs a privilege, and nothing given up can be had back.
- What the kernel does not know is told, not passed over in silence: each function says whether it took effect, and the worker logs it.
- Against root of the same machine none of it helps, nor is it meant to: docs/security.md.
"""
