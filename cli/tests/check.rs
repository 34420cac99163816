//! `divvy check`: what it says of a kernel, and how it ends.

mod program;

use program::{Folder, RACE, SAXPY};

#[test]
fn a_sound_kernel_is_described_and_nothing_is_found() {
    let kernel = SAXPY.replace("@compute", "@id(3) override tile: u32 = 8;\n@compute");
    let folder = Folder::new(&[("saxpy.wgsl", &kernel)]);
    let ended = folder.run("check saxpy.wgsl").well();
    for part in [
        "saxpy: workgroups of 64 x 1 x 1",
        "@id(3) override tile: u32 = 8",
        "@group(0) @binding(1) var<storage> x: array<f32>  read, 4 bytes an element",
        "guessed: a = 0.5",
        "y: proven",
        "nothing found",
    ] {
        assert!(ended.out.contains(part), "{part} in {}", ended.out);
    }
}

#[test]
fn a_race_is_found_and_ends_with_one() {
    let folder = Folder::new(&[("race.wgsl", RACE)]);
    let ended = folder.run("check race.wgsl --range 128");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("data race on `x[0]`"), "{}", ended.out);
}

#[test]
fn an_index_past_the_end_is_found_on_a_ragged_range() {
    let unguarded = SAXPY.replace("if id.x < arrayLength(&y)", "if true");
    let folder = Folder::new(&[("k.wgsl", &unguarded)]);
    let ended = folder.run("check k.wgsl --range 100");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("out of bounds"), "{}", ended.out);
    assert!(ended.out.contains("what was guessed"), "{}", ended.out);
    folder.run("check k.wgsl --range 128").well();
    let ended = folder.run("check k.wgsl --range 100 --value a=1 --bind x=ones --bind y=ones");
    assert!(ended.out.contains("out of bounds"), "{}", ended.out);
    assert!(!ended.out.contains("guessed"), "{}", ended.out);
}

#[test]
fn what_stops_a_proof_is_shown_with_its_line() {
    let kernel = "
    @group(0) @binding(0) var<storage, read> at: array<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64) fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
        if at[id.x] < 4u { y[at[id.x]] = 1u; }
    }";
    let folder = Folder::new(&[("scatter.wgsl", kernel)]);
    let ended = folder.run("check scatter.wgsl --range 128 --bind at=iota");
    assert!(ended.out.contains("y: not proven"), "{}", ended.out);
    assert!(ended.out.contains("wgsl:5:28"), "{}", ended.out);
}

#[test]
fn a_guard_is_recommended_only_where_it_would_help() {
    let kernel = "
    @group(0) @binding(0) var<storage, read> at: array<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64) fn scatter(@builtin(global_invocation_id) id: vec3<u32>) { y[INDEX] = at[0]; }";
    let folder = Folder::new(&[
        ("own.wgsl", &kernel.replace("INDEX", "id.x")),
        ("read.wgsl", &kernel.replace("INDEX", "at[id.x]")),
    ]);
    let said = |file: &str| {
        folder
            .run(&format!("check {file} --range 100 --bind at=iota:128"))
            .out
    };
    let (own, read) = (said("own.wgsl"), said("read.wgsl"));
    assert!(own.contains("a guard like"), "{own}");
    assert!(read.contains("depends on what the kernel reads"), "{read}");
    assert!(!read.contains("a guard like"), "{read}");
}

#[test]
fn every_entry_point_is_checked_with_what_is_said_of_its_own_bindings() {
    let kernel = format!(
        "{SAXPY}{}",
        RACE.replace("binding(0)", "binding(3)")
            .replace('x', "z")
            .replace("inde", "index")
    );
    let kernel = kernel.replace("id.z", "id.x");
    let folder = Folder::new(&[("two.wgsl", &kernel)]);
    let ended = folder.run("check two.wgsl --range 64 --bind y=ones --value a=2");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("saxpy: workgroups") && ended.out.contains("race: workgroups"));
    assert!(!ended.out.contains("guessed: y"), "{}", ended.out);
    folder.run("check two.wgsl --entry saxpy").well();
    folder
        .run("check two.wgsl --bind nothing=ones")
        .badly(2, &["`nothing`"]);
}
