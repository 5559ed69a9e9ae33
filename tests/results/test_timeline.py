"""Timelines: a run as a Perfetto trace, read back packet by packet."""

import itertools
from collections import Counter

import pytest

from simcore.study.api import Study
from simcore.study.load import parse
from tests.study.tiny import TINY

protobuf = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="perfetto is not installed")


@pytest.fixture(scope="module")
def packets(tmp_path_factory):
    """The packets of a run of 30 requests on two instances."""
    folder = tmp_path_factory.mktemp("timeline")
    study = Study(parse(TINY, "tiny.yaml", folder)).only("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMCORE_RUNS", str(folder / "runs"))
        results = study.run(out=folder / "out", timeline=True, iterations=True, plots=False, jobs=1)
    (file,) = (results.out / "timelines").iterdir()
    assert file.name == "two-seed_0.pftrace"
    trace = protobuf.Trace()
    trace.ParseFromString(file.read_bytes())
    return trace.packet


def slices(packets):
    """Every slice as (track, name, begin, end)."""
    found, began = [], {}
    for packet in packets:
        event = packet.track_event
        if event.type == event.TYPE_SLICE_BEGIN:
            assert event.track_uuid not in began, "slices of one track follow each other"
            began[event.track_uuid] = (event.name, packet.timestamp)
        elif event.type == event.TYPE_SLICE_END:
            name, begin = began.pop(event.track_uuid)
            found.append((event.track_uuid, name, begin, packet.timestamp))
    assert not began, "every slice ends"
    return found


def test_every_request_is_prefilled_and_decodes_once(packets):
    names = Counter(name for _, name, _, _ in slices(packets))
    for request in range(30):
        assert names[f"prefill {request}"] == names[f"decode {request}"] == 1
    assert all(begin <= end for _, _, begin, end in slices(packets))


def test_there_is_a_process_for_each_instance_and_every_track_is_below_one(packets):
    tracks = [packet.track_descriptor for packet in packets if packet.HasField("track_descriptor")]
    processes = {track.uuid: track.process.process_name for track in tracks if track.HasField("process")}
    assert sorted(processes.values()) == ["instance 0", "instance 1"]
    below = [track for track in tracks if not track.HasField("process")]
    assert {track.parent_uuid for track in below} == set(processes)
    assert {track.name for track in below} == {"requests", "lane 0: batches", "running", "waiting", "used_blocks"}


def test_batches_follow_each_other_and_say_what_is_in_them(packets):
    tracks = {
        packet.track_descriptor.uuid
        for packet in packets
        if packet.HasField("track_descriptor") and packet.track_descriptor.name == "lane 0: batches"
    }
    for track in tracks:
        batches = [each for each in slices(packets) if each[0] == track]
        assert batches[0][1] == "100 prompt tokens"
        assert all(end <= begin for (*_, end), (_, _, begin, _) in itertools.pairwise(batches))


def test_the_same_run_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    study = Study(parse(TINY, "tiny.yaml", tmp_path)).only("two")
    first, again = (
        study.run(out=tmp_path / name, timeline=True, plots=False, jobs=1).out / "timelines" / "two-seed_0.pftrace"
        for name in ("first", "again")
    )
    assert first.read_bytes() == again.read_bytes()
