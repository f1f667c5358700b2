"""Step 2, for a person's key: whoever holds it may act in the role that the plan claims, now.

Looked at when a plan is made ready and again for each lot, so that a role which ends, or a person who is disabled, ends a long batch as
well; what people may do is remembered for a few seconds (`control.people`), so it costs nothing a document. Keys that are nobody's (the
configuration's, an organisation's) are bound to no person's role.
"""

from __future__ import annotations

from dataclasses import dataclass

from signer.access.roles import of_role, role_refused
from signer.errors import RoleRefused
from signer.model import Credential, Profile, RecordPlan
from signer.people.person import Scope
from signer.pipeline.engine import Engine


@dataclass(frozen=True, slots=True)
class Acting:
    """How a person signs records. for_person_id: whose work it is; empty for their own. scopes: for what they have the role."""

    person_id: str
    for_person_id: str
    scopes: tuple[Scope, ...]


async def require_role(
    engine: Engine, credential: Credential, school_id: str, profile: Profile, record: RecordPlan | None
) -> Acting | None:
    """In which right the key's holder signs; None where no record is signed, or with a key that is nobody's. No key was used.

    What the plan leaves to each record (class, school year) is held against `Acting.scopes` where the record can be read; of other
    documents it must be claimed whole.

    Raises:
        RoleRefused: a disabled person, one who may not act so now, or a delegation to nobody.
        JournalUnavailable: the store can't be asked.
    """
    person_id = holder_of(credential)
    if not person_id or engine.rights is None:
        if record is not None and record.delegation_id:
            raise RoleRefused(f"credential {credential.id} is no person's, and acts for nobody", delegation=record.delegation_id)
        return None
    person = await engine.rights.find(person_id)
    if person is not None and person.disabled:
        raise RoleRefused(f"person {person_id} is disabled; `signer people enable` lets them act again", person=person_id)
    if record is None:
        return None
    claimed = Scope(school_id, record.school_year, record.class_id, record.subject_id)
    covers = Scope.may_cover if profile is Profile.MINISTRY_XML else Scope.covers
    rights = of_role(await engine.rights.held(person_id, engine.utc_now()), record.role, record.delegation_id)
    fitting = [right for right in rights if covers(right.assignment.scope, claimed)]
    if not fitting:
        raise role_refused(person_id, record.role, record.delegation_id)
    return Acting(person_id, fitting[0].acting_for, tuple(dict.fromkeys(right.assignment.scope for right in fitting)))


def holder_of(credential: Credential) -> str:
    """The person whose key it is; empty for nobody's."""
    return credential.kept.key.person_id if credential.kept is not None else ""
