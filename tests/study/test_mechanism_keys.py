"""`mechanism`: what each key becomes, a system's over the study's, and what does not go together."""

import pytest

from simcore.simulator.settings import Mechanisms
from simcore.study.api import Study
from simcore.study.schema_cluster import MechanismSpec
from tests.study.tiny import TINY, cells, problems_of, write_study

LINE = "question: does it run?"


def with_study(mechanism: str, text: str = TINY) -> str:
    return text.replace(LINE, f"mechanism: {mechanism}")


def with_system(mechanism: str, text: str = TINY) -> str:
    return text.replace("{router: round_robin}", f"{{router: round_robin, mechanism: {mechanism}}}")


def test_without_a_word_the_simulators_defaults_hold():
    assert cells()[0].mechanisms == Mechanisms()


def test_every_key_reaches_the_simulator():
    written = (
        "{prefix_cache: warm, preemption: swap, swap: async, schedule_ahead: 1, sm_split: [80, 100], contention: none, "
        "sm_switch_s: 0.01, lost: failed, max_waiting: 64}"
    )
    text = with_study(written, TINY.replace("instances: 2", "host_memory_gib: 1"))
    assert cells(text)[0].mechanisms == Mechanisms(
        prefix_cache="warm",
        preemption="swap",
        swap="async",
        host_blocks=512,
        schedule_ahead=1,
        sm_split=(80, 100),
        contention="none",
        sm_switch_s=0.01,
        lost="failed",
        max_waiting=64,
    )


def test_a_system_says_only_what_is_different_from_the_study():
    text = with_system("{prefix_cache: warm}", with_study("{prefix_cache: cold, schedule_ahead: 1}"))
    changed, plain = cells(text)
    assert changed.mechanisms == Mechanisms(prefix_cache="warm", schedule_ahead=1)
    assert plain.mechanisms == Mechanisms(prefix_cache="cold", schedule_ahead=1)


@pytest.mark.parametrize("off", ["off", "false", "'off'"])
def test_a_system_may_switch_off_what_the_study_switches_on(off):
    mine = f"{{prefix_cache: {off}, sm_split: {off}, max_waiting: {off}}}"
    text = with_system(mine, with_study("{prefix_cache: cold, sm_split: [50, 50], max_waiting: 9}"))
    assert cells(text)[0].mechanisms == Mechanisms()


def test_the_resolved_study_has_the_same_mechanisms(tmp_path):
    from simcore.study.folder import resolved_text
    from simcore.study.load import parse
    from simcore.study.plan import Options, plan

    text = with_system("{max_waiting: off, sm_split: [1, 2]}", with_study("{prefix_cache: cold, max_waiting: 3}"))
    text = text.replace("instances: 2", "roles: [mixed, mixed], report: {period: 2}, topology: none") + (
        "faults: [{instance: 1, at_s: 1}, {every: instance, mtbf_s: 9, mttr_s: 1}]\n"
    )
    resolved, planned = plan(parse(text, "tiny.yaml", tmp_path), Options())
    again = Study(parse(resolved_text(resolved), "resolved.yaml", tmp_path)).plan()
    assert [cell.mechanisms for cell in again] == [cell.mechanisms for cell in planned]
    assert [cell.hash for cell in again] == [cell.hash for cell in planned]


def test_a_system_that_says_what_the_study_says_shares_its_cells():
    (first, _), (second, _) = (cells(text) for text in (with_study("{swap: async}"), with_system("{swap: async}")))
    assert first.hash == second.hash


def test_a_mechanism_is_swept_like_any_key():
    swept = cells(TINY + "sweep: {mechanism.prefix_cache: [off, cold], mechanism.sm_split: [off, [60, 100]]}\n")
    found = [(cell.mechanisms.prefix_cache, cell.mechanisms.sm_split) for cell in swept[:4]]
    assert found == [(None, None), (None, (60, 100)), ("cold", None), ("cold", (60, 100))]


@pytest.mark.parametrize(
    ("mechanism", "line"),
    [
        ("{prefix_cache: hot}", "prefix_cache: must be off or cold or warm, got 'hot'"),
        ("{prefix_cache: true}", "prefix_cache: must be off or cold or warm, got true"),
        ("{preemption: drop}", "preemption: must be recompute or swap, got 'drop'"),
        ("{swap: sinc}", "swap: must be sync or async or adaptive, got 'sinc' (did you mean 'sync'?)"),
        ("{schedule_ahead: 2}", "schedule_ahead: must be <= 1, got 2"),
        ("{schedule_ahead: true}", "schedule_ahead: must be a whole number, got true"),
        ("{sm_split: 50}", "sm_split: must be off, got 50"),
        ("{sm_split: [50]}", "sm_split[1]: is missing"),
        ("{sm_split: [50, 50, 50]}", "sm_split: takes 2 items, got 3"),
        ("{sm_split: [0, 101]}", ["sm_split[0]: must be >= 1, got 0", "sm_split[1]: must be <= 100, got 101"]),
        ("{contention: normalize}",
         "contention: must be normalise or none, got 'normalize' (did you mean 'normalise'?)"),
        ("{sm_switch_s: -1}", "sm_switch_s: must be >= 0, got -1"),
        ("{lost: requeue}", "lost: must be requeued or failed, got 'requeue' (did you mean 'requeued'?)"),
        ("{max_waiting: -1}", "max_waiting: must be >= 0, got -1"),
        ("{max_waiting: none}", "max_waiting: must be off, got 'none'"),
        ("{prefix_cash: cold}",
         f"prefix_cash: unknown key; have {', '.join(MechanismSpec.model_fields)} (did you mean 'prefix_cache'?)"),
        ("{migration: stop_and_copy}",
         "migration: must be none or recompute or blocking or two_stage or multistage, got 'stop_and_copy'"),
        ("{migration_slots: 0}", "migration_slots: must be >= 1, got 0"),
        ("{migration_slowdown: 0.5}", "migration_slowdown: must be >= 1, got 0.5"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("put", "name"), [(with_study, ""), (with_system, "systems.round_robin.")])
def test_a_mistake_in_a_mechanism_is_named_where_it_is_written(mechanism, line, put, name):
    lines = [line] if isinstance(line, str) else line
    found = [problem.partition(": ")[2] for problem in problems_of(put(mechanism))]
    assert found == [f"{name}mechanism.{expected}" for expected in lines]


def test_swap_needs_host_memory_where_it_is_asked_for():
    why = "swap needs cluster.host_memory_gib to hold a KV block of 2 MiB or more, got 0"
    assert problems_of(with_study("{preemption: swap}")) == [f"tiny.yaml:2:13: mechanism.preemption: {why}"]
    assert problems_of(with_system("{preemption: swap}")) == [
        f"tiny.yaml:14:50: systems.round_robin.mechanism.preemption: {why}"
    ]
    assert problems_of(with_study("{preemption: swap}", TINY.replace("instances: 2", "host_memory_gib: 1"))) == []


def test_two_lanes_are_for_mixed_instances():
    text = with_study("{sm_split: [50, 50]}", TINY.replace("instances: 2", "roles: [mixed, decode]"))
    assert problems_of(text) == [
        "tiny.yaml:2:13: mechanism.sm_split: two lanes do the work of both roles; cluster.roles must all be mixed, got "
        "decode"
    ]


@pytest.mark.parametrize(
    ("mechanism", "named"),
    [
        ("{prefix_cache: cold}", "mechanism.prefix_cache"),
        ("{preemption: swap}", "mechanism.preemption: swap"),
        ("{schedule_ahead: 1, sm_split: [50, 50]}", "mechanism.schedule_ahead, mechanism.sm_split"),
    ],
)
def test_whole_batches_run_without_mechanisms(tmp_path, mechanism, named):
    write_study(tmp_path)
    text = TINY.replace("router: round_robin", "scheduler: 'special.py:WholeBatch'")
    text = text.replace("instances: 2", "host_memory_gib: 1")
    assert problems_of(text, tmp_path) == []
    assert problems_of(with_study(mechanism, text), tmp_path) == [
        f"tiny.yaml:14:17: systems.round_robin.scheduler: WholeBatch builds whole batches, which do not run with "
        f"{named} yet"
    ]


def test_who_splits_sms_needs_a_split_to_begin_with(tmp_path):
    write_study(tmp_path)
    text = TINY.replace("router: round_robin", "scheduler: 'special.py:Splits'")
    assert problems_of(text, tmp_path) == [
        "tiny.yaml:14:17: systems.round_robin.scheduler: Splits emits SplitSMs, which needs mechanism.sm_split"
    ]
    assert problems_of(with_study("{sm_split: [50, 50]}", text), tmp_path) == []


def test_every_key_of_migrations_reaches_the_simulator():
    written = (
        "{migration: two_stage, migration_slots: 2, migration_max_stages: 5, migration_last_blocks: 4, "
        "migration_slowdown: 1.25}"
    )
    assert cells(with_study(written))[0].mechanisms == Mechanisms(
        migration="two_stage",
        migration_slots=2,
        migration_max_stages=5,
        migration_last_blocks=4,
        migration_slowdown=1.25,
    )


def test_who_migrates_needs_a_way_to_do_it(tmp_path):
    write_study(tmp_path)
    text = TINY.replace("router: round_robin", "router: 'special.py:Migrates'")
    assert problems_of(text, tmp_path) == [
        "tiny.yaml:14:17: systems.round_robin.router: Migrates emits Migrate, which needs mechanism.migration: "
        "multistage, two_stage, blocking or recompute"
    ]
    assert problems_of(with_study("{migration: blocking}", text), tmp_path) == []


@pytest.mark.parametrize(
    ("mechanism", "cluster", "named"),
    [
        ("{migration: blocking, schedule_ahead: 1}", "instances: 2", "mechanism.schedule_ahead"),
        ("{migration: blocking, sm_split: [50, 50]}", "instances: 2", "mechanism.sm_split"),
        ("{migration: blocking}", "roles: [mixed, decode]", "cluster.roles"),
    ],
)
def test_what_migrations_do_not_go_with_is_said(mechanism, cluster, named):
    text = with_study(mechanism, TINY.replace("instances: 2", cluster))
    assert problems_of(text) == [f"tiny.yaml:2:13: mechanism.migration: does not go with {named} yet, got blocking"]


TIERED = "{prefix_cache: cold, offload: ended}"


def test_all_host_memory_may_be_a_tier():
    text = with_study(TIERED, TINY.replace("instances: 2", "host_memory_gib: 1"))
    assert cells(text)[0].mechanisms == Mechanisms(prefix_cache="cold", offload="ended", host_blocks=512)


@pytest.mark.parametrize(
    ("mechanism", "cluster", "message"),
    [
        ("{offload: ended}", "host_memory_gib: 1", "needs mechanism.prefix_cache"),
        (TIERED, "instances: 2", "needs cluster.host_memory_gib to hold a KV block of 2 MiB or more, got 0"),
        (f"{TIERED[:-1]}, preemption: swap}}", "host_memory_gib: 1", "does not run with mechanism.preemption: swap"),
        (f"{TIERED[:-1]}, sm_split: [50, 50]}}", "host_memory_gib: 1", "does not run with mechanism.sm_split"),
        (f"{TIERED[:-1]}, migration: blocking}}", "host_memory_gib: 1", "does not run with mechanism.migration yet"),
    ],
)
def test_a_tier_says_what_it_lacks_and_what_it_does_not_go_with(mechanism, cluster, message):
    (problem,) = problems_of(with_study(mechanism, TINY.replace("instances: 2", cluster)))
    assert message in problem


@pytest.mark.parametrize(
    ("mechanism", "message"),
    [
        ("{sm_split: [50, 50]}", "emits SetRole, and the two lanes of mechanism.sm_split have no role"),
        ("{migration: blocking}", "does not go with a router that sets roles (SetsRoles) yet"),
        (TIERED, "the host tier does not run with a router that sets roles (SetsRoles) yet"),
        ("{preemption: swap, allocator: groups}", "does not run with a router that sets roles (SetsRoles) yet"),
    ],
)
def test_who_sets_roles_needs_what_roles_need(mechanism, message, tmp_path):
    write_study(tmp_path)
    text = TINY.replace("router: round_robin", "router: 'special.py:SetsRoles'").replace(
        "instances: 2", "instances: 2, host_memory_gib: 1"
    )
    assert problems_of(text, tmp_path) == []
    (problem,) = problems_of(with_study(mechanism, text), tmp_path)
    assert message in problem
