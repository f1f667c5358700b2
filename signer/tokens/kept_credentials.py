"""A credential of the store as the pipeline uses it: its row, completed by the configured CAs."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509

from signer.model import Credential, CredentialState, KeptCredential, Problem, ProblemKind
from signer.tokens.certificates import algorithms_of, public_key_of
from signer.tokens.chains import Issuers, chain_problems
from signer.validation.usage import unfit_for_documents

_STATES = {
    CredentialState.SUSPENDED: "it is suspended: `signer keys enable` lets it sign again",
    CredentialState.DISABLED: "it is disabled for good: renew it or make a new one",
    CredentialState.REPLACED: "it was replaced",
    CredentialState.DESTROYED: "its key was destroyed",
}


def credential_of(kept: KeptCredential, issuers: Issuers) -> Credential:
    """The row with its chain, and what is the matter with it whatever the time."""
    certificate = x509.load_der_x509_certificate(kept.certificate) if kept.certificate else None
    problems = list(_problems(kept, certificate))
    path = issuers.path_of(certificate) if certificate is not None else None
    problems += chain_problems(path) if path is not None else []
    return Credential(
        id=kept.id,
        token_name=kept.token_name,
        key_id=kept.key.key_id,
        key_label=kept.id,
        school_id=kept.key.school_id,
        certificate=kept.certificate,
        chain=path.issuers if path is not None else (),
        algorithms=algorithms_of(kept.key.kind.family),
        problems=tuple(problems),
        kept=kept,
    )


def _problems(kept: KeptCredential, certificate: x509.Certificate | None) -> Iterator[Problem]:
    if kept.state in _STATES:
        yield Problem(ProblemKind.STATE, _STATES[kept.state])
    elif certificate is None:
        yield Problem(ProblemKind.CERTIFICATE_MISSING, "it waits for its certificate: `signer keys csr`, then `signer keys import`")
    if certificate is not None:
        if public_key_of(certificate) != kept.key.public_key:
            yield Problem(ProblemKind.KEY_MISMATCH, "the stored certificate belongs to another key: the database was changed")
        if why := unfit_for_documents(certificate):
            yield Problem(ProblemKind.KEY_USAGE, f"its certificate must not sign documents: {why}")
