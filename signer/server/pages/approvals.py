"""Four eyes: what awaits a person's word, with the reason and the bounds of the act; agreed to or refused by their factors."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from signer.errors import ApprovalEnded, ApprovalNotFound, ChangedMeanwhile, FactorsRefused, InvalidArgument, RoleRefused
from signer.people.approval import Approval, Decision
from signer.server.pages.checking import Checking
from signer.server.pages.doors import Approving, Factors, Names
from signer.server.pages.person import challenge_or_none, person_of
from signer.server.pages.routes import Needs, Route, Routes
from signer.server.pages.views import Answer, Views, Visit, redirect

_COMMENT_CHARACTERS_MAX = 2_000
_DECISIONS = {decision.value: decision for decision in Decision}


@dataclass(frozen=True, slots=True)
class ApprovalPages:
    """One page: without a decision it shows the approval, with one it asks for comment and factors."""

    views: Views
    checking: Checking
    factors: Factors
    approving: Approving
    names: Names

    def routes(self) -> Routes:
        """/approval."""
        return {"/approval": Route(Needs.PERSON, self._show, self._decide)}

    async def _show(self, visit: Visit) -> Answer:
        return await self._page(visit, visit.query.get("id", ""), _DECISIONS.get(visit.query.get("decision", "")))

    async def _decide(self, visit: Visit) -> Answer:
        person, approval_id = person_of(visit), next(iter(visit.form.texts("id")), "")
        decision, comment = _DECISIONS.get(visit.form.text("decision")), visit.form.text("comment")
        if decision is None or len(comment) > _COMMENT_CHARACTERS_MAX:
            raise InvalidArgument("agree or refuse, in at most 2,000 characters")
        if decision is Decision.REFUSE and not comment:
            return await self._page(visit, approval_id, decision, HTTPStatus.BAD_REQUEST, error="approval.comment_missing")
        try:
            with self.checking.turn(visit.account, person.id):
                await self.approving.decide(approval_id, person.id, decision, comment, visit.form.factors())
        except FactorsRefused as refused:
            told = {"error": "review.refused", "wait_s": refused.retry_after_s, "comment": comment}
            return await self._page(visit, approval_id, decision, HTTPStatus.FORBIDDEN, **told)
        except InvalidArgument:
            return await self._page(visit, approval_id, decision, HTTPStatus.BAD_REQUEST, error="factors.too_few", comment=comment)
        except (ApprovalNotFound, ApprovalEnded, ChangedMeanwhile, RoleRefused):
            return self._gone(visit)
        if visit.session is not None:
            visit.session.notice = f"approval.done_{decision.value}"
        return redirect("/")

    async def _page(
        self,
        visit: Visit,
        approval_id: str,
        decision: Decision | None,
        status: HTTPStatus = HTTPStatus.OK,
        **told: Any,
    ) -> Answer:
        """told: what is wrong, for `Views.page`, and the comment as it was typed."""
        person = person_of(visit)
        approval = next((each for each in await self.approving.awaiting(person.id) if each.id == approval_id), None)
        if approval is None:
            return self._gone(visit)
        challenge = None
        if decision is not None and await self.factors.passkeys(person.id):
            challenge = await challenge_or_none(
                self.factors.challenge(person.id, self.approving.purpose(approval, decision), is_known=True)
            )
        people = {name: await self.names.person(name) for name in _people_of(approval)}
        return self.views.page(
            visit,
            "approval",
            status,
            approval=approval,
            decision=decision,
            challenge=challenge,
            people=people,
            school_name=await self.names.school(approval.school_id),
            **{"comment": "", **told},
        )

    def _gone(self, visit: Visit) -> Answer:
        if visit.session is not None:
            visit.session.notice = "approval.gone"
        return redirect("/")


def _people_of(approval: Approval) -> set[str]:
    return {approval.requester_person_id, *(step.person_id for step in approval.steps if step.person_id)}
