//! What a proof costs, and that it always ends.

use super::*;
use crate::kernel::Kernel;
use crate::range::Range;

/// What is proven of a kernel over 1000 invocations, with buffers of 1000 words and uniforms of zeros.
fn proven(wgsl: &str) -> Arc<Proof> {
    let kernel = Kernel::from_wgsl(wgsl).unwrap_or_else(|error| panic!("{error}"));
    let facts = kernel.facts().expect("it is complete");
    let given = facts.bindings.iter().map(|binding| match binding.kind {
        BindingKind::Uniform => Given::Value(&[0; 64]),
        BindingKind::Storage(_) => Given::Buffer(4000),
    });
    let given: Vec<_> = given.collect();
    facts.proof(&Chunk::whole(Range::from(1000), facts.workgroup), &given)
}

const HEAD: &str = "@group(0) @binding(0) var<storage, read_write> y: array<u32>;\n";

#[test]
fn functions_that_call_each_other_twice_are_given_up_in_the_end() {
    let mut wgsl = format!("{HEAD}fn f0(i: u32) -> u32 {{ y[i % 7u] += 1u; return i + 1u; }}\n");
    for depth in 1..30 {
        let below = depth - 1;
        wgsl +=
            &format!("fn f{depth}(i: u32) -> u32 {{ return f{below}(i) + f{below}(i + 1u); }}\n");
    }
    wgsl += "@compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) { _ = f29(id.x); }";
    assert_eq!(*proven(&wgsl).accesses, [None]);
}

#[test]
fn loops_in_loops_are_followed_or_given_up() {
    for depth in [3, 12, 30] {
        let mut body = "if i < 1000u { y[i] += 1u; }".to_owned();
        for level in 0..depth {
            body = format!(
                "for (var k{level} = 0u; k{level} < i; k{level}++) {{ {body} i += k{level} & 1u; }}"
            );
        }
        let wgsl = format!(
            "{HEAD}@compute @workgroup_size(1)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ var i = id.x; {body} }}"
        );
        assert_eq!(*proven(&wgsl).accesses, [None]);
    }
}

#[test]
fn conditions_made_of_themselves_are_given_up() {
    let mut body = "var is = id.x < 500u;\n".to_owned();
    for i in 0..60 {
        body += &format!(
            "if id.x % {} == 1u {{ is = !is && id.x != {i}u || is; }}\n",
            i + 2
        );
    }
    let wgsl = format!(
        "{HEAD}@compute @workgroup_size(1)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ {body} if is && id.x < 1000u {{ y[id.x] = 1u; }} }}"
    );
    assert_eq!(*proven(&wgsl).accesses, [Some(Access::OneToOne)]);
}

#[test]
fn sums_of_many_numbers_are_followed_or_given_up() {
    let mut body = "var i = id.x;\n".to_owned();
    for k in 0..300 {
        body += &format!(
            "i = select(i + y[i % 1000u], min(i * {k}u, i + y[{k}]), i > y[{k}] % {}u);\n",
            k + 3
        );
        body += &format!("if i % {}u == 3u {{ i ^= y[i & 255u]; }}\n", k + 5);
    }
    let wgsl = format!(
        "{HEAD}@compute @workgroup_size(1)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ {body} y[i % 1000u] = 1u; }}"
    );
    assert_eq!(*proven(&wgsl).accesses, [None]);
}

#[test]
fn dispatches_that_differ_in_nothing_that_matters_share_a_proof() {
    let kernel = Kernel::from_wgsl(
        "struct U { n: u32, seed: u32 }
        @group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @group(0) @binding(1) var<uniform> u: U;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x < u.n { y[id.x] = (u.seed ^ id.x) * 7u; }
        }",
    );
    let kernel = kernel.expect("it is valid");
    let facts = kernel.facts().expect("it is complete");
    let proof = |range: u64, words: [u32; 2], bytes| {
        let chunk = Chunk::whole(Range::from(range), facts.workgroup);
        let value = bytemuck::bytes_of(&words);
        facts.proof(&chunk, &[Given::Buffer(bytes), Given::Value(value)])
    };
    let first = proof(1000, [1000, 5], 4000);
    assert!(
        Arc::ptr_eq(&first, &proof(1000, [1000, 99], 4000)),
        "the seed is in no index"
    );
    for other in [
        proof(1001, [1000, 5], 4000),
        proof(1000, [999, 5], 4000),
        proof(1000, [1000, 5], 4004),
    ] {
        assert!(!Arc::ptr_eq(&first, &other));
    }
    assert!(
        Arc::ptr_eq(&first, &proof(1000, [1000, 7], 4000)),
        "it is remembered"
    );
}
