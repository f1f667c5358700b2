"""Signatures are counted by how their key is held and what the school teaches; no school, pupil or teacher adds a series."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from signer.algorithms import KeyKind, SignatureAlgorithm
from signer.model import Credential, CredentialState, KeptCredential, KeptKey, KeyStorage, Level, Profile, StageTimes
from signer.people.client import SchoolTier
from signer.pipeline.observe import Observer, key_class
from signer.telemetry.metrics import KeyClass, Metrics

CONFIGURED = Credential("key", "token", b"id", "label", "79000001", b"", (), (SignatureAlgorithm.RSA_PKCS1_SHA256,))


def kept(person_id: str, storage: KeyStorage) -> Credential:
    key = KeptKey("key", "79000001", person_id, storage, KeyKind.EC_P256, b"id", b"")
    return replace(CONFIGURED, kept=KeptCredential(key, "token", CredentialState.ACTIVE))


CREDENTIALS = {
    KeyClass.CONFIGURED: CONFIGURED,
    KeyClass.PERSON_TOKEN: kept("lan", KeyStorage.TOKEN),
    KeyClass.PERSON_WRAPPED: kept("lan", KeyStorage.WRAPPED),
    KeyClass.ORGANISATION_TOKEN: kept("", KeyStorage.TOKEN),
    KeyClass.ORGANISATION_WRAPPED: kept("", KeyStorage.WRAPPED),
}


@pytest.mark.parametrize("wanted", CREDENTIALS)
def test_a_key_is_of_the_class_it_is_held_in(wanted: KeyClass) -> None:
    assert key_class(CREDENTIALS[wanted]) is wanted


def test_schools_and_people_add_no_series() -> None:
    """A thousand schools of every tier, each with keys of every class: as many series as classes times tiers."""
    registry = CollectorRegistry()
    tiers = {f"7900{number:04}": list(SchoolTier)[number % len(SchoolTier)] for number in range(1000)}
    engine = cast("Any", SimpleNamespace(metrics=Metrics.on(registry), tier_of=tiers.__getitem__))
    signed = cast("Any", SimpleNamespace(replayed=False, times=StageTimes()))
    repeated = cast("Any", SimpleNamespace(replayed=True, times=StageTimes()))
    for school_id, credential in product(tiers, CREDENTIALS.values()):
        plan = SimpleNamespace(profile=Profile.PADES, level=Level.B_B, credential=replace(credential, school_id=school_id))
        observer = Observer(engine, cast("Any", plan))
        observer.observe(signed)
        observer.observe(repeated)
    [family] = [each for each in registry.collect() if each.name == "signer_signatures_by_class"]
    counts = [sample.value for sample in family.samples if sample.name.endswith("_total")]
    assert counts == [200.0] * len(CREDENTIALS) * len(SchoolTier)
