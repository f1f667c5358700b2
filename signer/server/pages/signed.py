"""What was signed in a person's name, newest first: what they granted, what came of it, and on whose asking."""

from __future__ import annotations

from dataclasses import dataclass

from signer.errors import AuthorizationNotFound
from signer.server.pages.doors import Deciding, Names
from signer.server.pages.person import person_of
from signer.server.pages.routes import Needs, Route, Routes
from signer.server.pages.views import Answer, Views, Visit, redirect

_ON_A_PAGE = 20
_DOCUMENTS_ON_A_PAGE = 200


@dataclass(frozen=True, slots=True)
class SignedPages:
    """A page at a time, from behind the last one of the page before."""

    views: Views
    deciding: Deciding
    names: Names

    def routes(self) -> Routes:
        """/signed, and the documents of one authorisation."""
        return {"/signed": Route(Needs.PERSON, self._list), "/signed/documents": Route(Needs.PERSON, self._documents)}

    async def _list(self, visit: Visit) -> Answer:
        person = person_of(visit)
        found = await self.deciding.decided(person.id, after=visit.query.get("after", ""), limit=_ON_A_PAGE + 1)
        shown = found[:_ON_A_PAGE]
        clients = {each.client_id: await self.names.client(each.client_id) for each in shown}
        schools = {each.target.school_id: await self.names.school(each.target.school_id) for each in shown}
        older = shown[-1].id if len(found) > _ON_A_PAGE else ""
        return self.views.page(visit, "signed", shown=shown, clients=clients, schools=schools, older=older)

    async def _documents(self, visit: Visit) -> Answer:
        authorization_id, after = visit.query.get("id", ""), visit.query.get("after", "")
        try:
            every = await self.deciding.documents(person_of(visit).id, authorization_id)
        except AuthorizationNotFound:
            return redirect("/signed")
        behind = [each for each in every if each > after]
        shown = behind[:_DOCUMENTS_ON_A_PAGE]
        more = shown[-1] if len(behind) > len(shown) else ""
        return self.views.page(visit, "signed_documents", authorization_id=authorization_id, count=len(every), shown=shown, more=more)
