"""Collectives are counted as by hand: in texts that XLA writes for TPUs, and in a program compiled here."""

import jax
import jax.numpy as jnp
import pytest

from fergen.core import mesh as meshes
from fergen.train.collectives import Total, collectives, loops

# In the forms of a TPU's compiler: tuples, layouts with tiles and memory spaces, three ways to write groups.
TEXT = """HloModule jit_many, is_scheduled=true, num_partitions=8

%add (lhs: f32[], rhs: f32[]) -> f32[] {
  %lhs = f32[] parameter(0)
  ROOT %sum.1 = f32[] add(%lhs, %lhs)
}

%inner_body (p.1: (s32[], f32[4])) -> (s32[], f32[4]) {
  %permute.1 = f32[4]{0:T(128)} collective-permute(%gte.1), channel_id=9, source_target_pairs={{0,1},{1,0}}
}

%inner_condition (p.2: (s32[], f32[4])) -> pred[] {
  %limit.1 = s32[]{:T(128)} constant(7)
  ROOT %lt.1 = pred[]{:T(512)} compare(%gte.2, %limit.1), direction=LT, metadata={op_name="jit(many)/while/cond/lt"}
}

%body.2 (p.3: (s32[], f32[4])) -> (s32[], f32[4]) {
  %all-reduce.1 = (f32[32]{0:T(128)S(1)}, /*index=1*/bf16[10,2]{1,0:T(8,128)(2,1)}) all-reduce(%a, %b), channel_id=1, \
replica_groups=mesh['axis_0'=4,'axis_1'=2] {'axis_0','axis_1'}, use_global_device_ids=true, to_apply=%add
  %all-gather.1 = f32[100]{0:T(128)} all-gather(%c), channel_id=2, replica_groups=[2,4]<=[8], dimensions={0}
  %gather-start.1 = (u8[5]{0}, u8[40]{0}) all-gather-start(%d), channel_id=3, replica_groups={{0,1,2,3,4,5,6,7}}
  %gather-done.1 = u8[40]{0} all-gather-done(%gather-start.1)
  %fusion.1 = f32[4]{0} fusion(%e), kind=kCustom, calls=%scattering
  %while.1 = (s32[], f32[4]) while(%tuple.1), condition=%inner_condition, body=%inner_body
}

%scattering (p.4: f32[16]) -> f32[2] {
  ROOT %scatter.1 = f32[2]{0} reduce-scatter(%p.4), channel_id=4, replica_groups={}, dimensions={0}, to_apply=%add
}

%condition.2 (p.5: (s32[], f32[4])) -> pred[] {
  %limit.2 = s32[]{:T(128)} constant(10)
  ROOT %lt.2 = pred[]{:T(512)} compare(%gte.3, %limit.2), direction=LT
}

%rarely (p.6: f32[4]) -> f32[4] {
  ROOT %all-to-all.1 = f32[4]{0} all-to-all(%p.6), channel_id=5, replica_groups={{0,1},{2,3},{4,5},{6,7}}
}

%never (p.7: f32[4]) -> f32[4] {
  ROOT %copy.1 = f32[4]{0} copy(%p.7)
}

ENTRY %main.7_spmd (param.6: f32[4]) -> f32[4] {
  %while.2 = (s32[], f32[4]) while(%tuple.2), condition=%condition.2, body=%body.2, metadata={op_name="while"}
  ROOT %choice.1 = f32[4]{0} conditional(%index, %x, %y), branch_computations={%never, %rarely}
}
"""


def test_a_text():
    reduced = 10 * (32 * 4 + 20 * 2)
    assert collectives(TEXT, 8) == {
        "all-reduce": Total(10, reduced, pytest.approx(2 * 7 / 8 * reduced)),
        # Four of the eight devices gather 100 numbers, all of them 40 bytes.
        "all-gather": Total(20, 10 * 440, pytest.approx(10 * (3 / 4 * 400 + 7 / 8 * 40))),
        "reduce-scatter": Total(10, 10 * 64, pytest.approx(10 * 7 / 8 * 64)),
        "all-to-all": Total(1, 16, pytest.approx(8)),
        "collective-permute": Total(70, 70 * 16, 70 * 16),
    }
    assert sorted(loops(TEXT)) == [7, 10]


def test_a_loop_without_a_number_of_rounds_counts_once():
    unknown = TEXT.replace(
        "%limit.2 = s32[]{:T(128)} constant(10)", "%limit.2 = s32[] get-tuple-element(%p.5), index=0"
    )
    assert sorted(loops(unknown)) == [1, 7]
    assert collectives(unknown, 8)["collective-permute"].count == 7


@pytest.mark.parametrize("devices", [1, 4])
def test_a_program(devices):
    """Five steps of descent over a mesh: the gradient of the weights, [6, 3], is summed in each."""
    mesh = meshes.build(jax.devices()[:devices])
    whole, split = meshes.replicated(mesh), meshes.split(mesh)

    def many(w, x):
        return jax.lax.scan(lambda w, _: (w - jax.grad(lambda w: jnp.sin(x @ w).sum())(w), None), w, None, length=5)[0]

    w, x = (jax.ShapeDtypeStruct(s, jnp.float32, sharding=a) for s, a in (((6, 3), whole), ((8, 6), split)))
    text = jax.jit(many, out_shardings=whole).lower(w, x).compile().as_text()
    found = collectives(text, devices)
    if devices == 1:
        assert sum(total.sent for total in found.values()) == 0
    else:
        assert found == {"all-reduce": Total(5, 5 * 72, pytest.approx(5 * 72 * 2 * 3 / 4))}
