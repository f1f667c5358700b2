"""AdminService: clients, schools and quotas. For operators."""

from __future__ import annotations

from functools import partial
from typing import Any

from signer.errors import ClientNotFound, SchoolNotFound
from signer.people.client import Quota, QuotaSubject
from signer.server import convert_clients as convert
from signer.server.calling import CallingRooms
from signer.server.door import current_operator
from signer.v1 import admin_clients_pb2, admin_pb2_grpc

_operator = partial(current_operator, "manage clients, schools and quotas")


class ClientMethods(admin_pb2_grpc.AdminServiceServicer):
    """Convert, ask the rooms of `calling`, convert."""

    def __init__(self, calling: CallingRooms) -> None:
        self._calling = calling

    async def ListClients(  # noqa: N802
        self,
        request: admin_clients_pb2.ListClientsRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_clients_pb2.ListClientsResponse:
        """Those kept and those of the configuration."""
        _operator()
        school_id, clients = request.school_id, self._calling.clients
        wanted = [client for client in clients.clients() if not school_id or school_id in client.school_ids]
        page, token = convert.page(wanted, [client.id for client in wanted], request.page_size, request.page_token)
        return admin_clients_pb2.ListClientsResponse(
            clients=[convert.client_message(client, clients.last_call(client.id)) for client in page], next_page_token=token
        )

    async def CreateClient(  # noqa: N802
        self,
        request: admin_clients_pb2.CreateClientRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_clients_pb2.CreateClientResponse:
        """From the next call on."""
        clients = self._calling.clients
        client = await clients.create_client(_operator(), convert.client(request.client))
        return admin_clients_pb2.CreateClientResponse(client=convert.client_message(client, clients.last_call(client.id)))

    async def UpdateClient(  # noqa: N802
        self,
        request: admin_clients_pb2.UpdateClientRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_clients_pb2.UpdateClientResponse:
        """From the next call on, whatever connection it comes by."""
        clients = self._calling.clients
        client = await clients.update_client(_operator(), convert.client(request.client))
        return admin_clients_pb2.UpdateClientResponse(client=convert.client_message(client, clients.last_call(client.id)))

    async def ListSchools(  # noqa: N802
        self,
        request: admin_clients_pb2.ListSchoolsRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_clients_pb2.ListSchoolsResponse:
        """Those kept, and those that only the configuration names."""
        _operator()
        schools = self._calling.clients.schools()
        page, token = convert.page(schools, [school.id for school in schools], request.page_size, request.page_token)
        return admin_clients_pb2.ListSchoolsResponse(schools=map(convert.school_message, page), next_page_token=token)

    async def CreateSchool(  # noqa: N802
        self,
        request: admin_clients_pb2.CreateSchoolRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_clients_pb2.CreateSchoolResponse:
        """From the next call on."""
        school = await self._calling.clients.create_school(_operator(), convert.school(request.school))
        return admin_clients_pb2.CreateSchoolResponse(school=convert.school_message(school))

    async def UpdateSchool(  # noqa: N802
        self,
        request: admin_clients_pb2.UpdateSchoolRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_clients_pb2.UpdateSchoolResponse:
        """From the next call on."""
        school = await self._calling.clients.update_school(_operator(), convert.school(request.school))
        return admin_clients_pb2.UpdateSchoolResponse(school=convert.school_message(school))

    async def ListQuotas(  # noqa: N802
        self,
        request: admin_clients_pb2.ListQuotasRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_clients_pb2.ListQuotasResponse:
        """With what is used of them today."""
        _operator()
        await self._calling.keeping.read_used()
        meters = sorted(self._calling.quotas.all(), key=lambda meter: (meter.subject.value, meter.subject_id))
        names = [f"{meter.subject.value}:{meter.subject_id}" for meter in meters]
        page, token = convert.page(meters, names, request.page_size, request.page_token)
        return admin_clients_pb2.ListQuotasResponse(quotas=map(convert.quota_message, page), next_page_token=token)

    async def SetQuota(  # noqa: N802
        self,
        request: admin_clients_pb2.SetQuotaRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_clients_pb2.SetQuotaResponse:
        """From the next request on."""
        client_id, quota = _operator(), convert.quota(request.quota)
        self._require_subject(quota)
        return admin_clients_pb2.SetQuotaResponse(quota=convert.quota_message(await self._calling.keeping.set(client_id, quota)))

    def _require_subject(self, quota: Quota) -> None:
        clients, name = self._calling.clients, quota.subject_id
        if quota.subject is QuotaSubject.CLIENT and not clients.is_client(name):
            raise ClientNotFound(f"there is no client {name!r}; `signer clients list` shows those there are", client=name)
        if quota.subject is QuotaSubject.SCHOOL and not clients.is_school(name):
            raise SchoolNotFound(f"there is no school {name!r}; `signer schools list` shows those there are", school=name)
