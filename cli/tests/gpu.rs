//! What needs a GPU beside the CPU. With none these are ignored; with `DIVVY_REQUIRE_GPU=1` they fail.

mod program;

use libtest_mimic::{Arguments, Failed, Trial};
use program::{Folder, SAXPY};

/// The last digits of a sine, which WGSL leaves to the device.
const DIFFERS: &str = "
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn differs(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&y) { y[id.x] = fract(sin(f32(id.x) * 12.9898) * 43758.5453); }
}";

fn devices_that_differ_are_named_with_their_numbers() {
    let folder = Folder::new(&[("differs.wgsl", DIFFERS)]);
    let ended = folder.run("check differs.wgsl --devices all");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("numbers differ: y["), "{}", ended.out);
    let allowed = folder
        .run("check differs.wgsl --devices all --apart 1")
        .well();
    assert!(allowed.out.contains("as --apart allows"), "{}", allowed.out);
    let told =
        folder.run("bench differs.wgsl --devices all --range 1000 --bind y=zeros --rounds 1");
    told.badly(1, &["don't agree on `y`"]);
}

fn devices_that_agree_are_told_to() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY)]);
    let ended = folder.run("check saxpy.wgsl --devices all").well();
    assert!(
        ended.out.contains("all together, in even shares: the same"),
        "{}",
        ended.out
    );
}

fn a_sweep_has_21_points_and_a_timeline_of_every_device() {
    let folder = Folder::new(&[]);
    folder
        .run("bench suite --quick --devices all --json b.json --html b.html")
        .well();
    let text = std::fs::read_to_string(folder.path("b.json")).expect("it is written");
    let results: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    for row in results["rows"].as_array().expect("there are rows") {
        assert_eq!(row["sweep"].as_array().map(Vec::len), Some(21));
        assert!(row["regret"].as_f64().is_some());
    }
    let page = std::fs::read_to_string(folder.path("b.html")).expect("it is written");
    assert!(page.contains("as measurement splits it"));
}

fn software_gpus_are_named_with_the_way_to_use_them() {
    let folder = Folder::new(&[]);
    let gpus = divvy::device::gpu::find_gpus();
    let ended = folder.run("devices --no-measure").well();
    for gpu in gpus {
        assert!(ended.out.contains(gpu.name()), "{}", ended.out);
    }
    assert!(ended.out.contains("DIVVY_DEVICES=all"), "{}", ended.out);
}

fn main() {
    let arguments = Arguments::from_args();
    let is_required = std::env::var("DIVVY_REQUIRE_GPU").is_ok_and(|required| required == "1");
    let has_gpu = !divvy::device::gpu::find_gpus().is_empty();
    let cases: [(&str, fn()); 4] = [
        (
            "devices_that_differ_are_named_with_their_numbers",
            devices_that_differ_are_named_with_their_numbers,
        ),
        (
            "devices_that_agree_are_told_to",
            devices_that_agree_are_told_to,
        ),
        (
            "a_sweep_has_21_points_and_a_timeline_of_every_device",
            a_sweep_has_21_points_and_a_timeline_of_every_device,
        ),
        (
            "software_gpus_are_named_with_the_way_to_use_them",
            software_gpus_are_named_with_the_way_to_use_them,
        ),
    ];
    let trial = |(name, case): (&str, fn())| {
        let run = move || {
            if !has_gpu {
                return Err(Failed::from(
                    "there is no GPU, and DIVVY_REQUIRE_GPU asks for one",
                ));
            }
            case();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(!has_gpu && !is_required)
    };
    libtest_mimic::run(&arguments, cases.map(trial).into()).exit();
}
