"""Four eyes, step by step: somebody asks, people decide in their order, the act uses what they granted.

A decision is a statement in the journal: who, in which role, by which kinds of factors, on all of what; its entry's index stays with the
step. The rules are `access.approvals`, the policies `access.approval_policies`; what follows for records is `control.record_changes`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from signer.access import approval_policies as policies
from signer.access import approvals as rules
from signer.access.approvals import Act, Statement
from signer.errors import ApprovalEnded, ApprovalNotFound, ApprovalRequired, ChangedMeanwhile, InvalidArgument, RoleRefused, SubjectNotFound
from signer.journal.approval_rows import digest_of
from signer.journal.approvals import ApprovalChange, ApprovalFilter, ApprovalStore
from signer.journal.model import NoteKind
from signer.journal.records import RecordChange
from signer.model import Role
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState, Decision
from signer.people.doors import FactorCheck, Rights
from signer.people.factor import Factor
from signer.store.times import microseconds

_AWAITING_MAX: Final = 500
_ID_BYTES: Final = 12
"""Random: an id opens nothing by itself, and tells nobody how many there are."""
RecordsOf: TypeAlias = Callable[[Approval], Sequence[RecordChange]]
"""Which records change when an approval is asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks an approval for. shown: what else deciders see, while it is pending."""

    act: Act
    requester_person_id: str
    reason: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    shown: str = ""


@dataclass(frozen=True, slots=True)
class ListedApprovals:
    """A page, newest first. next_before: for the next page; None: this was the last."""

    approvals: tuple[Approval, ...]
    next_before: int | None


def _no_records(_approval: Approval) -> Sequence[RecordChange]:
    return ()


class RecordRules(Protocol):
    """What an approval's progress does to records (`control.record_changes`)."""

    async def follow(self, before: Approval, after: Approval, person_id: str, role: Role | None) -> Sequence[RecordChange]:
        """The records that change in the same commit; none for approvals of other kinds."""


class Subjects(Protocol):
    """Whether what is to be approved is there."""

    async def exists(self, kind: ApprovalKind, school_id: str, subject: str) -> bool:
        """Whether there is such a thing."""


class Approvals:
    """`FourEyes`, and all that leads to it. Owned by the event loop."""

    def __init__(
        self, store: ApprovalStore, rights: Rights, factors: FactorCheck, records: RecordRules, now: Callable[[], datetime]
    ) -> None:
        self.store = store
        self._rights = rights
        self._factors = factors
        self._records = records
        self._now = now

    async def require(
        self,
        kind: ApprovalKind,
        school_id: str,
        subject: str,
        approval_ids: Sequence[str],
        *,
        parameters: Mapping[str, str] | None = None,
        count: int = 0,
    ) -> Approval | None:
        """The granted, unused approval that covers the act; None where the policy asks for none. ApprovalRequired otherwise."""
        policy = await self.policy(kind, school_id)
        if not policy.roles or (kind is ApprovalKind.SEAL_ABOVE_COUNT and count <= policy.count_above):
            return None
        return await self._granted(Act(kind, school_id, subject, parameters or {}, count), approval_ids)

    async def use(self, approval: Approval, by: str) -> None:
        """Spends it, atomically: of two at once one gets ApprovalEnded. by: the request or person, for the journal."""
        try:
            await self.store.revise("", ApprovalChange(NoteKind.APPROVAL_USED, approval, rules.used(approval, self._now()), {"by": by}))
        except ChangedMeanwhile as error:
            raise ApprovalEnded("another act used the approval at the same time: ask for a new one", approval=approval.id) from error

    async def spend(self, act: Act, approval_ids: Sequence[str], by: str) -> str:
        """`require` and `use` at once; the approval's id, empty where the policy asks for none."""
        approval = await self.require(act.kind, act.school_id, act.subject, approval_ids, parameters=act.parameters, count=act.count)
        if approval is None:
            return ""
        await self.use(approval, by)
        return approval.id

    async def ask(self, client_id: str, request_id: str, wanted: Wanted, records: RecordsOf = _no_records) -> Approval:
        """A pending approval; the same request again returns what became of it.

        records: that change with it. Raises RequestIdReused, InvalidArgument (no words, or a kind that needs nobody here), RoleRefused
        (unknown people), ChangedMeanwhile.
        """
        there = await self.asked_before(request_id, wanted)
        if there is not None:
            return there
        policy = await self._policy_to_ask(wanted)
        person = await self._rights.find(wanted.requester_person_id)
        if person is None or person.disabled:
            raise RoleRefused("only a person that the appliance knows can ask: `signer people list`", person=wanted.requester_person_id)
        if not wanted.reason.strip() or len(wanted.reason) > rules.REASON_MAX:
            raise InvalidArgument(f"reason is required, at most {rules.REASON_MAX} characters", field="reason")
        now = self._now()
        approval = Approval(
            f"ap-{secrets.token_hex(_ID_BYTES)}",
            wanted.act.kind,
            wanted.act.school_id,
            wanted.act.subject,
            wanted.requester_person_id,
            wanted.reason,
            policies.steps_of(policy),
            ApprovalState.PENDING,
            now,
            now + policy.lifetime,
            dict(wanted.parameters),
            wanted.shown,
        )
        return await self.store.add(client_id, request_id, _fingerprint(wanted), approval, records(approval))

    async def asked_before(self, request_id: str, wanted: Wanted) -> Approval | None:
        """What became of the same request; RequestIdReused when the ids asked for something else."""
        there = await self.store.of_request(wanted.act.school_id, request_id, _fingerprint(wanted))
        return None if there is None else rules.as_of(there, self._now())

    async def find(self, approval_id: str) -> Approval:
        """The approval as it is now; ApprovalNotFound."""
        return rules.as_of(await self._kept(approval_id), self._now())

    async def decide(  # as the page asks it
        self, approval_id: str, person_id: str, decision: Decision, comment: str, factors: Sequence[Factor], *, client_id: str = ""
    ) -> Approval:
        """A person's statement on the next step, proven by their factors; the approval after it.

        Whoever said the same before gets what became of it, without factors: the answer was lost.

        Raises:
            ApprovalNotFound, ApprovalEnded: nothing is left to decide.
            RoleRefused: the person asked for it, has decided a step, or has no role of the next one; also for unknown people.
            FactorsRefused: it is not the person. A one-time factor is spent all the same.
            InvalidArgument: a refusal without words.
            ChangedMeanwhile: another decided at the same moment.
        """
        kept = await self._kept(approval_id)
        statement = Statement(person_id, decision, comment)
        if rules.is_repeated(kept, statement):
            return rules.as_of(kept, self._now())
        now = self._now()
        step, role = rules.require_step(kept, statement, await self._rights.held(person_id, now), now)
        proven = await self._factors.require(person_id, factors, role, rules.purpose_of(kept, decision))
        after = rules.decided(kept, statement, now)
        detail: dict[str, str | int] = {
            "step": kept.steps.index(step) + 1,
            "person": person_id,
            "role": role.value,
            "decision": decision.value,
            "commentSha256": digest_of(comment),
            "purpose": rules.purpose_of(kept, decision).hex(),
            "factors": ",".join(sorted(each.value for each in proven)),
        }
        return await self._revise(client_id, NoteKind.APPROVAL_DECIDED, kept, after, person_id, role, detail)

    async def withdraw(self, client_id: str, approval_id: str, person_id: str) -> Approval:
        """Ends it, by the one who asked. RoleRefused for others, ApprovalEnded for one that was used, refused or has expired."""
        kept = await self._kept(approval_id)
        after = rules.withdrawn(kept, person_id, self._now())
        if after == kept:
            return kept
        return await self._revise(client_id, NoteKind.APPROVAL_WITHDRAWN, kept, after, person_id, None, {"person": person_id})

    async def page(
        self,
        schools: Collection[str] | None,
        *,
        kinds: Collection[ApprovalKind] = (),
        states: Collection[ApprovalState] = (),
        awaiting_person_id: str = "",
        before: int | None = None,
        limit: int = 100,
    ) -> ListedApprovals:
        """A page of those of these schools (None: all), newest first; of a person's, those whose next step they may decide."""
        now = self._now()
        rights = await self._rights.held(awaiting_person_id, now) if awaiting_person_id else ()
        wanted_states = states or ((ApprovalState.PENDING,) if awaiting_person_id else ())
        found: list[tuple[int, Approval]] = []
        while len(found) <= limit:
            wanted = ApprovalFilter(microseconds(now), schools, kinds, wanted_states, before=before)
            rows = await self.store.page(wanted, limit + 1)
            found += [row for row in rows if not awaiting_person_id or rules.awaits(row[1], awaiting_person_id, rights, now)]
            if len(rows) <= limit:
                break
            before = rows[-1][0]
        shown = found[:limit]
        return ListedApprovals(tuple(rules.as_of(approval, now) for _, approval in shown), shown[-1][0] if len(found) > limit else None)

    async def awaiting(self, person_id: str) -> Sequence[Approval]:
        """Those whose next step the person may decide, oldest first."""
        listed = await self.page(None, awaiting_person_id=person_id, limit=_AWAITING_MAX)
        return tuple(reversed(listed.approvals))

    def purpose(self, approval: Approval, decision: Decision) -> bytes:
        """What factors for this decision are given for: SHA-256, 32 bytes."""
        return rules.purpose_of(approval, decision)

    async def policy(self, kind: ApprovalKind, school_id: str) -> ApprovalPolicy:
        """The one in force."""
        return policies.policy_in_force(kind, school_id, await self.store.policies((kind,)))

    async def policies(self, school_id: str) -> list[ApprovalPolicy]:
        """Those in force for a school, or for all, one a kind."""
        stored = await self.store.policies()
        return [policies.policy_in_force(kind, school_id, stored) for kind in ApprovalKind]

    async def set_policy(self, client_id: str, policy: ApprovalPolicy, approval_id: str) -> ApprovalPolicy:
        """Sets a policy, when those have agreed whom the present one names. The same again changes nothing.

        Raises:
            InvalidArgument: it can't be kept, or is less than the regulations ask.
            ApprovalRequired, ApprovalEnded: it was not agreed to.
        """
        policies.require_sound(policy)
        stored = await self.store.policies((policy.kind, ApprovalKind.POLICY_CHANGE))
        if policy in stored:
            return policy
        asked = await self._policy_to_change(policy.kind, policy.school_id)
        bounds = policies.bounds_of_change(policy)
        if asked.roles:
            act = Act(ApprovalKind.POLICY_CHANGE, policy.school_id, policy.kind.value, bounds)
            approval = await self._granted(act, [approval_id] if approval_id else [])
            await self.use(approval, client_id)
        await self.store.set_policy(client_id, policy, {**bounds, "approval": approval_id if asked.roles else ""})
        return policy

    async def _policy_to_ask(self, wanted: Wanted) -> ApprovalPolicy:
        """Whom to ask; InvalidArgument where nobody is asked."""
        act = wanted.act
        if act.kind is ApprovalKind.POLICY_CHANGE:
            policy = await self._policy_to_change(ApprovalKind(act.subject), act.school_id)
        else:
            policy = await self.policy(act.kind, act.school_id)
        if not policy.roles:
            raise InvalidArgument(
                f"no approval is needed for {act.kind.value} here: `signer approvals policy` shows who must agree", field="kind"
            )
        return policy

    async def _policy_to_change(self, kind: ApprovalKind, school_id: str) -> ApprovalPolicy:
        stored = await self.store.policies((kind, ApprovalKind.POLICY_CHANGE))
        changes = policies.policy_in_force(ApprovalKind.POLICY_CHANGE, school_id, stored)
        return policies.policy_for_change(policies.policy_in_force(kind, school_id, stored), changes)

    async def _granted(self, act: Act, approval_ids: Sequence[str]) -> Approval:
        now = self._now()
        found = await self.store.find_all(approval_ids) if approval_ids else {}
        for approval in found.values():
            if rules.covers(approval, act) and rules.as_of(approval, now).state is ApprovalState.GRANTED:
                return approval
        why = "none of those named covers it, or is granted and unused" if approval_ids else "name it"
        raise ApprovalRequired(
            f"several people must allow {act.kind.value} of {act.subject}: {why}; `signer approvals ask` begins one",
            kind=act.kind.name,
            subject=act.subject,
        )

    async def _kept(self, approval_id: str) -> Approval:
        approval = (await self.store.find_all([approval_id])).get(approval_id)
        if approval is None:
            raise ApprovalNotFound("no such approval", approval=approval_id)
        return approval

    async def _revise(  # noqa: PLR0917  # what an entry is made of
        self,
        client_id: str,
        kind: NoteKind,
        before: Approval,
        after: Approval,
        person_id: str,
        role: Role | None,
        detail: Mapping[str, str | int],
    ) -> Approval:
        records = await self._records.follow(before, after, person_id, role)
        if records and after.kind is ApprovalKind.RECALL and after.state is ApprovalState.GRANTED:
            after = replace(after, state=ApprovalState.USED)  # a recall is done by being agreed to
        return await self.store.revise(client_id, ApprovalChange(kind, before, after, detail, records))


async def require_subject(subjects: Subjects, act: Act) -> None:
    """SubjectNotFound unless what is to be approved is there."""
    if not await subjects.exists(act.kind, act.school_id, act.subject):
        raise SubjectNotFound(f"there is no {act.subject!r} to approve {act.kind.value} of", subject=act.subject)


def _fingerprint(wanted: Wanted) -> bytes:
    act = wanted.act
    whole = [
        act.kind.value,
        act.school_id,
        act.subject,
        wanted.requester_person_id,
        wanted.reason,
        sorted(wanted.parameters.items()),
        wanted.shown,
    ]
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()).digest()
