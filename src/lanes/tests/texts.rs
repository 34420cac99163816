//! Programs of a few kernels as text, so that what lowering comes to is seen when it changes.
//!
//! `DIVVY_WRITE_TEXTS=1` writes the files anew.

use super::harness::program;

/// A loop that lanes leave one by one, with a branch, a `continue` and a `return` in it.
const DIVERGENT: &str = "
    @group(0) @binding(0) var<storage, read_write> x: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        var n = x[id.x];
        while n > 1u {
            if n % 2u == 0u { n /= 2u; continue; }
            n = 3u * n + 1u;
            if n > 1000000u { return; }
        }
        x[id.x] = n;
    }";

fn check(name: &str, wgsl: &str) {
    let found = program(wgsl, false).expect("lanes run it").text;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lanes/tests/texts");
    let file = format!("{folder}/{name}.txt");
    if std::env::var_os("DIVVY_WRITE_TEXTS").is_some() {
        std::fs::write(&file, &found).expect("the folder can be written to");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    // A checkout may have ends of lines of its own.
    let kept = kept.replace("\r\n", "\n");
    assert!(
        kept == found,
        "{name} is lowered in another way; if that is meant, run again with DIVVY_WRITE_TEXTS=1\n{found}"
    );
}

#[test]
fn saxpy_is_lowered_as_before() {
    check("saxpy", include_str!("../../../shaders/saxpy.wgsl"));
}

#[test]
fn mandelbrot_is_lowered_as_before() {
    check(
        "mandelbrot",
        include_str!("../../../shaders/mandelbrot.wgsl"),
    );
}

#[test]
fn heat_is_lowered_as_before() {
    check("heat", include_str!("../../../shaders/heat.wgsl"));
}

#[test]
fn a_tiled_product_is_lowered_as_before() {
    check(
        "matmul_tiled",
        include_str!("../../../benches/lanes/matmul_tiled.wgsl"),
    );
}

#[test]
fn a_divergent_loop_is_lowered_as_before() {
    check("divergent", DIVERGENT);
}
