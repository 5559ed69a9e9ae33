"""Timeline: a run as a Perfetto trace, to be opened at ui.perfetto.dev: a process per instance, a slice per phase.

Below an instance: the requests on it, each with its phases, arrows to where it goes on; batches, if there is an
iteration log; how many run and wait and how full the KV is, as counters. What no instance has is below the router.
Format: Perfetto's TracePacket protobuf (google/perfetto, `protos/perfetto/trace`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from simcore.contract import decisions as log
from simcore.results.parquet import row_groups
from simcore.results.phases import NOWHERE, Phase, Row, phases

_PS_PER_NS = 1000
_NS_PER_S = 1e9
_SEQUENCE = 1
_COUNTERS = ("running", "waiting", "used_blocks")
_HAPPENINGS = {
    log.UP: "up",
    log.DOWN: "down",
    log.SPLIT: "SMs split anew",
    log.ROLE: "new role",
    log.PRIORITIES: "new priorities",
    log.OPENED: "rollout opened",
    log.TRAIN: "training begins",
    log.TRAINED: "training ended",
    log.WEIGHTS: "new weights",
}
_COLUMNS = ["at_ps", "instance", "kind", "request", "detail"]


def write_timeline(cell: Path, out: Path) -> None:
    """Write the timeline of the run whose files lie in `cell`, its decision log among them, to `out`.

    Raises ImportError without the package perfetto.
    """
    with out.open("wb") as file:
        trace = _Trace(file)
        for phase in phases(decisions(cell)):
            trace.phase(phase)
        for at, instance, kind, _, _ in decisions(cell):
            if kind in _HAPPENINGS:
                trace.happening(at, instance, _HAPPENINGS[kind])
        for row in _rows(cell / "instances.parquet", ["at_s", "instance", *_COUNTERS]):
            trace.sample(int(row[0] * _NS_PER_S), *row[1:])
        if (cell / "iterations.parquet").is_file():
            names = ["instance", "lane", "start_ps", "iterations", "first_ps", "increment_ps", "decodes", "chunk_new"]
            for row in _rows(cell / "iterations.parquet", names):
                trace.batch(*row)


def decisions(cell: Path) -> Iterator[Row]:
    """Yield the rows of a decision log, in order."""
    return _rows(cell / "decisions.parquet", _COLUMNS)


def _rows(path: Path, names: list[str]) -> Iterator[tuple[Any, ...]]:
    for group in row_groups(path, names):
        yield from zip(*(column.to_pylist() for column in group.columns), strict=True)


class _Trace:
    """Packets of one trace. Tracks are announced when they are first used, and numbered in that order."""

    def __init__(self, file: IO[bytes]) -> None:
        from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TrackDescriptor, TrackEvent
        from perfetto.trace_builder.proto_builder import StreamingTraceProtoBuilder

        self._builder = StreamingTraceProtoBuilder(file)
        self._event = TrackEvent
        self._by_order = TrackDescriptor.ChildTracksOrdering.EXPLICIT
        self._tracks: dict[tuple[Any, ...], int] = {}
        self._left: dict[int, int] = {}
        """Where a request was last, to draw an arrow from there."""

    def phase(self, phase: Phase) -> None:
        track = self._requests(phase.instance, phase.request)
        moved = self._left.get(phase.request, phase.instance) != phase.instance
        self._left[phase.request] = phase.instance
        begin = self._slice(track, phase.start_ps // _PS_PER_NS, f"{phase.name} {phase.request}")
        begin.track_event.categories.append(phase.name)
        if moved or phase.name in ("at the router", "prefilled", "swapped", "migrating", "paused"):
            begin.track_event.flow_ids.append(phase.request + 1)
        self._builder.write_packet(begin)
        self._end(track, phase.end_ps // _PS_PER_NS)
        if phase.ended not in ("", "finished"):
            self._instant(track, phase.end_ps // _PS_PER_NS, f"{phase.ended} {phase.request}")

    def happening(self, at_ps: int, instance: int, name: str) -> None:
        self._instant(self._process(instance), at_ps // _PS_PER_NS, name)

    def sample(self, at_ns: int, instance: int, *values: int) -> None:
        for name, value in zip(_COUNTERS, values, strict=True):
            packet = self._packet(self._counter(instance, name), at_ns, self._event.TYPE_COUNTER)
            packet.track_event.counter_value = value
            self._builder.write_packet(packet)

    def batch(
        self,
        instance: int,
        lane: int,
        start_ps: int,
        iterations: int,
        first_ps: int,
        increment_ps: int,
        decodes: int,
        chunks: list[int],
    ) -> None:
        track = self._track((instance, "lane", lane), f"lane {lane}: batches", self._process(instance), order=-1)
        parts = [f"{decodes} decodes"] if decodes else []
        parts += [f"{sum(chunks)} prompt tokens"] if chunks else []
        lasts_ps = iterations * first_ps + increment_ps * (iterations * (iterations - 1) // 2)
        times = f" x {iterations}" if iterations > 1 else ""
        self._builder.write_packet(self._slice(track, start_ps // _PS_PER_NS, " + ".join(parts) + times))
        self._end(track, (start_ps + lasts_ps) // _PS_PER_NS)

    # -- tracks -----------------------------------------------------------------------------------------------------

    def _process(self, instance: int) -> int:
        if (key := ("process", instance)) in self._tracks:
            return self._tracks[key]
        packet, uuid = self._descriptor(key)
        process = packet.track_descriptor.process
        process.pid = instance + 2
        process.process_name = "router" if instance == NOWHERE else f"instance {instance}"
        self._builder.write_packet(packet)
        return uuid

    def _requests(self, instance: int, request: int) -> int:
        # Tracks of one name below one parent are shown as one, with as many rows as slices overlap.
        return self._track((instance, "request", request), "requests", self._process(instance))

    def _counter(self, instance: int, name: str) -> int:
        return self._track((instance, "counter", name), name, self._process(instance), counts=True)

    def _track(
        self, key: tuple[Any, ...], name: str, parent: int, *, order: int | None = None, counts: bool = False
    ) -> int:
        if key in self._tracks:
            return self._tracks[key]
        packet, uuid = self._descriptor(key)
        track = packet.track_descriptor
        track.name, track.parent_uuid = name, parent
        if order is not None:
            track.sibling_order_rank = order
        if counts:
            track.counter.SetInParent()
        self._builder.write_packet(packet)
        return uuid

    def _descriptor(self, key: tuple[Any, ...]) -> tuple[Any, int]:
        uuid = self._tracks[key] = len(self._tracks) + 1
        packet = self._builder.create_packet()
        packet.track_descriptor.uuid = uuid
        packet.track_descriptor.child_ordering = self._by_order
        return packet, uuid

    # -- events -----------------------------------------------------------------------------------------------------

    def _packet(self, track: int, at_ns: int, kind: int) -> Any:
        packet = self._builder.create_packet()
        packet.timestamp = at_ns
        packet.trusted_packet_sequence_id = _SEQUENCE
        packet.track_event.type = kind
        packet.track_event.track_uuid = track
        return packet

    def _slice(self, track: int, at_ns: int, name: str) -> Any:
        packet = self._packet(track, at_ns, self._event.TYPE_SLICE_BEGIN)
        packet.track_event.name = name
        return packet

    def _end(self, track: int, at_ns: int) -> None:
        self._builder.write_packet(self._packet(track, at_ns, self._event.TYPE_SLICE_END))

    def _instant(self, track: int, at_ns: int, name: str) -> None:
        packet = self._packet(track, at_ns, self._event.TYPE_INSTANT)
        packet.track_event.name = name
        self._builder.write_packet(packet)
