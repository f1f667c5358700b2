from datetime import UTC, datetime, timedelta

import pytest

from signer.server.expiry import CLASSES, time_left
from signer.telemetry.metrics import specs

NOW = datetime(2027, 5, 29, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "name"),
    [
        (timedelta(days=-400), "ended"),
        (timedelta(0), "ended"),
        (timedelta(seconds=1), "7d"),
        (timedelta(days=7), "7d"),
        (timedelta(days=7, seconds=1), "30d"),
        (timedelta(days=90), "90d"),
        (timedelta(days=91), "later"),
    ],
)
def test_a_certificate_is_never_counted_as_better_than_it_is(left: timedelta, name: str) -> None:
    assert time_left(NOW + left, NOW) == name


def test_the_page_names_every_class() -> None:
    said = next(dict(spec.labels)["left"] for _, _, spec in specs() if spec.name == "signer_credential_certificates")
    assert all(name in said for name in CLASSES)
