"""Every figure."""

from tests.benchmarks.canary_live import measure_canary_live
from tests.benchmarks.canary_simulated import measure_canary_simulated
from tests.benchmarks.cloud_preview import measure_cloud_preview
from tests.benchmarks.cloud_sweep import measure_aws_sweep, measure_gcp_sweep
from tests.benchmarks.cold_setup import measure_cold_setup
from tests.benchmarks.figure import Figure
from tests.benchmarks.gate_cost import measure_gate_cost
from tests.benchmarks.gate_faults import measure_gate_faults
from tests.benchmarks.gate_judge_scale import measure_judge_day, measure_judge_scale
from tests.benchmarks.gate_lag import measure_gate_lag
from tests.benchmarks.gate_stall import measure_gate_stall
from tests.benchmarks.gate_statistics import FIGURES
from tests.benchmarks.gateway_cost import measure_gateway_cost
from tests.benchmarks.kill_matrix.matrix import (
    measure_kill_matrix,
    measure_switch_kill_matrix,
)
from tests.benchmarks.kubernetes_kills.matrix import measure_kubernetes_kill_matrix
from tests.benchmarks.kubernetes_scale import measure_kubernetes_scale
from tests.benchmarks.kubernetes_switches import measure_kubernetes_switches
from tests.benchmarks.no_change_up import measure_no_change_up
from tests.benchmarks.provider_memory import measure_provider_memory
from tests.benchmarks.rollback import measure_rollback
from tests.benchmarks.session_affinity import measure_session_affinity
from tests.benchmarks.switch_under_load import measure_switch_under_load
from tests.benchmarks.switches import measure_switch_latency, measure_switches
from tests.benchmarks.up_to_ready import measure_up_to_ready


def figures() -> tuple[Figure, ...]:
    return (
        Figure(
            "no_change_up",
            "a no-change `up` against one of an empty Pulumi program",
            1,
            measure_no_change_up,
        ),
        Figure(
            "up_to_ready",
            "the first `up` against the same servers started by hand",
            4,
            measure_up_to_ready,
        ),
        Figure(
            "provider_memory",
            "resident memory of the provider during a first `up`",
            0.5,
            measure_provider_memory,
        ),
        Figure(
            "switch_under_load",
            "requests that fail while the traffic moves to and fro",
            1,
            measure_switch_under_load,
        ),
        Figure(
            "switches",
            "two hundred switches under load: requests lost, and time until the old side is left",
            17,
            measure_switches,
            by_default=False,
        ),
        Figure(
            "switch_latency",
            "p99 during switches against p99 between them, out of the same run as `switches`",
            17,
            measure_switch_latency,
            by_default=False,
        ),
        Figure(
            "kubernetes_switches",
            "a hundred switches on a cluster under load: requests lost, time on the old side",
            10,
            measure_kubernetes_switches,
            by_default=False,
        ),
        Figure(
            "kubernetes_scale",
            "previews and ups of many services on a cluster against a program by hand",
            30,
            measure_kubernetes_scale,
            by_default=False,
        ),
        Figure(
            "session_affinity",
            "sessions that see both sides while the weights change",
            2,
            measure_session_affinity,
        ),
        Figure(
            "gateway_cost",
            "processor time of the gateway for counting a user's request",
            3,
            measure_gateway_cost,
            by_default=False,
        ),
        Figure(
            "rollback",
            "three ways back to the standby: until users have left, until the stack agrees",
            6,
            measure_rollback,
        ),
        Figure(
            "kill_matrix",
            "accidents at ten moments of a promotion, and whether `up` recovers",
            35,
            measure_kill_matrix,
        ),
        Figure(
            "switch_kill_matrix",
            "accidents at every stage of a canary and of a bake, and whether `up` recovers",
            60,
            measure_switch_kill_matrix,
            by_default=False,
        ),
        Figure(
            "kubernetes_kill_matrix",
            "kill -9 of engine and provider at twelve moments of a promotion on a cluster",
            35,
            measure_kubernetes_kill_matrix,
            by_default=False,
        ),
        Figure(
            "canary_live",
            "equal, failing and slower candidates on real servers: who is turned back",
            70,
            measure_canary_live,
            by_default=False,
        ),
        Figure(
            "canary_simulated",
            "simulated canaries whose truth is known, thousands of each kind",
            60,
            measure_canary_simulated,
            by_default=False,
        ),
        Figure(
            "cold_setup",
            "set-up time by step from nothing, with empty caches",
            9,
            measure_cold_setup,
            by_default=False,
        ),
        Figure(
            "gate_lag",
            "how late one generator process sends at 3000 requests/s",
            2.5,
            measure_gate_lag,
        ),
        Figure(
            "gate_cost",
            "the load generator's CPU per request and rate against perf_analyzer's",
            7,
            measure_gate_cost,
            by_default=False,
        ),
        Figure(
            "gate_stall",
            "p99 of a server that stalls, by the gate and by closed-loop tools",
            7.5,
            measure_gate_stall,
            by_default=False,
        ),
        Figure(
            "gate_faults",
            "eleven faults on real servers, five times each: how many are promoted",
            20,
            measure_gate_faults,
            by_default=False,
        ),
        Figure(
            "gate_judge_scale",
            "seconds and memory of judging ten million samples",
            3,
            measure_judge_scale,
            by_default=False,
        ),
        Figure(
            "gate_judge_day",
            "memory of judging a day at 1000 requests/s",
            5,
            measure_judge_day,
            by_default=False,
        ),
        *(
            Figure(name, "simulated judgement of the gate, thousands of runs", 15, measure, False)
            for name, measure in FIGURES.items()
        ),
        Figure(
            "cloud_preview",
            "previews of clusters with 1, 10 and 50 node pools against a program by hand",
            12,
            measure_cloud_preview,
            by_default=False,
        ),
        Figure(
            "cloud_sweep_aws",
            "failures, interruptions and kills at the resources of the AWS stacks",
            60,
            measure_aws_sweep,
            by_default=False,
        ),
        Figure(
            "cloud_sweep_gcp",
            "the same on Google Cloud",
            60,
            measure_gcp_sweep,
            by_default=False,
        ),
    )
