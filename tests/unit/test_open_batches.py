import pytest
from prometheus_client import CollectorRegistry

from signer.pipeline.batch import Tally
from signer.server.open_batches import OpenBatches, size_class
from signer.telemetry.metrics import Metrics


def figures(registry: CollectorRegistry) -> tuple[float | None, float | None]:
    return registry.get_sample_value("signer_batches_in_progress"), registry.get_sample_value("signer_batch_documents_left")


async def test_what_is_left_is_what_was_announced_or_sent_and_has_not_ended() -> None:
    registry = CollectorRegistry()
    batches = OpenBatches(Metrics.on(registry))
    announced, unannounced = Tally(received=35, signed=20, failed=1, pending=2, replayed=2), Tally(received=7, signed=4)
    with batches.track(announced, 1225), batches.track(unannounced):
        assert figures(registry) == (2, 1225 - 25 + 3)
    assert figures(registry) == (0, 0)


async def test_only_batches_that_reach_their_end_are_timed() -> None:
    registry = CollectorRegistry()
    batches = OpenBatches(Metrics.on(registry))
    with batches.track(Tally(received=35)):
        pass
    with pytest.raises(ConnectionError), batches.track(Tally(received=35)):
        raise ConnectionError
    assert registry.get_sample_value("signer_batch_duration_seconds_count", {"documents": "class"}) == 1
    assert len(batches) == 0


@pytest.mark.parametrize(
    ("documents", "name"), [(0, "one"), (1, "one"), (2, "class"), (50, "class"), (51, "school"), (2500, "school"), (2501, "larger")]
)
def test_a_class_and_a_school_are_told_apart(documents: int, name: str) -> None:
    assert size_class(documents) == name
