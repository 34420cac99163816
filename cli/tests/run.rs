//! `divvy run` with input that is as it should be.

mod program;

use program::{Folder, SAXPY, read_npy, write_npy};

#[test]
fn a_kernel_runs_on_generated_data_and_prints_what_it_wrote() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY)]);
    let ended = folder
        .run("run saxpy.wgsl --range 4 --value a=3 --bind x=ones --bind y=iota --out y=-")
        .well();
    assert_eq!(ended.out, "3.0\n4.0\n5.0\n6.0\n");
    assert!(ended.err.contains("saxpy over 4"), "{}", ended.err);
}

#[test]
fn several_buffers_on_the_standard_output_are_named() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY)]);
    let ended = folder
        .run("run saxpy.wgsl --range 2 --value a=3 --bind x=ones --bind y=iota --out x=- --out y=-")
        .well();
    assert_eq!(ended.out, "# x\n1.0\n1.0\n# y\n3.0\n4.0\n");
}

#[test]
fn numpy_arrays_come_back_with_their_shape_and_numbers() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY)]);
    let numbers: Vec<f32> = (0..12).map(|i| i as f32 / 7.0).collect();
    write_npy(&folder.path("x.npy"), &[3, 4], &numbers);
    folder
        .run("run saxpy.wgsl --range 12 --value a=1 --bind x=x.npy --bind y=zeros:4x3 --out y=y.npy --out x=same.npy")
        .well();
    for name in ["y.npy", "same.npy"] {
        assert_eq!(read_npy(&folder.path(name)), (vec![3, 4], numbers.clone()));
    }
}

#[test]
fn the_padding_of_vectors_is_not_in_numpy_arrays() {
    let kernel = "
    @group(0) @binding(0) var<storage, read> x: array<vec3<f32>>;
    @group(0) @binding(1) var<storage, read_write> y: array<vec3<f32>>;
    @compute @workgroup_size(64)
    fn turn(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < arrayLength(&y) { y[id.x] = x[id.x].yzx; }
    }";
    let folder = Folder::new(&[("turn.wgsl", kernel)]);
    write_npy(
        &folder.path("x.npy"),
        &[2, 3],
        &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    );
    folder
        .run("run turn.wgsl --range 2 --bind x=x.npy --out y=y.npy --out y=y.csv --out y=y.bin")
        .well();
    let turned = (vec![2, 3], vec![2.0_f32, 3.0, 1.0, 5.0, 6.0, 4.0]);
    assert_eq!(read_npy(&folder.path("y.npy")), turned);
    let text = std::fs::read_to_string(folder.path("y.csv")).expect("it is written");
    assert_eq!(text, "2.0,3.0,1.0\n5.0,6.0,4.0\n");
    let raw = std::fs::read(folder.path("y.bin")).expect("it is written");
    assert_eq!(raw.len(), 2 * 16, "raw bytes are those of WGSL");
}

/// Copies pixels of any type.
fn copy(pixel: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read> from: array<{pixel}>;
         @group(0) @binding(1) var<storage, read_write> to: array<{pixel}>;
         @compute @workgroup_size(8, 8)
         fn copy(@builtin(global_invocation_id) id: vec3<u32>) {{
             let i = id.y * 5u + id.x;
             if id.x < 5u && id.y < 3u {{ to[i] = from[i]; }}
         }}"
    )
}

#[test]
fn a_picture_comes_back_as_it_was_whatever_its_pixels_are() {
    let (width, height) = (5_u32, 3_u32);
    for (pixel, colour) in [
        ("u32", png::ColorType::Rgba),
        ("vec4<f32>", png::ColorType::Rgba),
        ("vec3<f32>", png::ColorType::Rgb),
        ("f32", png::ColorType::Grayscale),
    ] {
        // `from` is a word that WGSL keeps for itself.
        let folder = Folder::new(&[("copy.wgsl", &copy(pixel).replace("from", "before"))]);
        let steps = width as usize * height as usize * colour.samples();
        let pixels: Vec<u8> = (0..steps).map(|i| (i * 37 % 256) as u8).collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(colour);
        let mut writer = encoder.write_header().expect("it can be begun");
        writer.write_image_data(&pixels).expect("it is written");
        writer.finish().expect("it is whole");
        std::fs::write(folder.path("in.png"), bytes).expect("it can be written");
        folder
            .run("run copy.wgsl --range 5x3 --bind before=in.png --out to=out.png")
            .well();
        let file = std::fs::File::open(folder.path("out.png")).expect("it is there");
        let decoder = png::Decoder::new(std::io::BufReader::new(file));
        let mut reader = decoder.read_info().expect("it is a picture");
        assert_eq!((reader.info().width, reader.info().height), (width, height));
        assert_eq!(reader.info().color_type, colour, "{pixel}");
        let mut again = vec![0; reader.output_buffer_size().expect("it is small")];
        reader.next_frame(&mut again).expect("it has pixels");
        assert_eq!(again, pixels, "{pixel}");
    }
}

const STRUCTS: &str = "
struct Inner { at: vec2<i32>, weights: array<vec4<f32>, 2> }
struct Params { dt: f32, wind: vec3<f32>, inner: Inner }
override scale: f32;
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1)
fn show() {
    y[0] = params.dt * scale;
    y[1] = params.wind.z;
    y[2] = f32(params.inner.at.y);
    y[3] = params.inner.weights[1].x;
}";

#[test]
fn values_are_set_by_members_by_lists_and_by_json() {
    let folder = Folder::new(&[("show.wgsl", STRUCTS)]);
    let run = |values: &str| {
        let common =
            "run show.wgsl --range 1 --constant scale=2 --bind y=zeros:4 --out y=- --report none";
        folder.run(&format!("{common} {values}")).well().out
    };
    let by_members = "--value params.dt=0.5 --value params.wind=1,2,3 --value params.inner.at=4,-5 \
        --value params.inner.weights=0,0,0,0,7,0,0,0";
    assert_eq!(run(by_members), "1.0\n3.0\n-5.0\n7.0\n");
    let by_json = r#"--value params={"dt":0.5,"wind":[1,2,3],"inner":{"at":[4,-5],"weights":[[0,0,0,0],[7,0,0,0]]}}"#;
    assert_eq!(run(by_json), "1.0\n3.0\n-5.0\n7.0\n");
    let mixed = "--value params=0.5,1,2,3,4,-5,0,0,0,0,8,0,0,0 --value params.inner.weights[1].x=7";
    assert_eq!(run(mixed), "1.0\n3.0\n-5.0\n7.0\n");
}

#[test]
fn extents_of_the_range_are_values() {
    let kernel = "
    @group(0) @binding(0) var<uniform> size: vec2<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32, 2>;
    @compute @workgroup_size(1) fn show() { y[0] = size.x; y[1] = size.y; }";
    let folder = Folder::new(&[("show.wgsl", kernel)]);
    let ended = folder.run("run show.wgsl --range 3x2 --value size=range.x,range.y --out y=-");
    assert_eq!(ended.well().out, "3\n2\n");
}

#[test]
fn a_struct_that_ends_in_an_array_is_filled_and_read() {
    let kernel = "
    struct List { count: u32, items: array<vec2<u32>> }
    @group(0) @binding(0) var<storage, read_write> list: List;
    @compute @workgroup_size(1) fn bump(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < arrayLength(&list.items) { list.items[id.x].y += list.count; }
    }";
    let folder = Folder::new(&[("bump.wgsl", kernel)]);
    let ended = folder.run("run bump.wgsl --range 2 --bind list=ones:2 --out list=-");
    assert_eq!(ended.well().out, "1\n1\n2\n1\n2\n");
}

#[test]
fn a_report_for_programs_says_who_did_what() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY)]);
    let ended = folder
        .run("run saxpy.wgsl --range 1000 --value a=3 --bind x=ones --bind y=random:1 --repeat 3 --report json")
        .well();
    let report: serde_json::Value = serde_json::from_str(&ended.out).expect("it is JSON");
    assert_eq!(report["wall_seconds"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["devices"][0]["invocations"], 1000);
}

#[test]
fn checked_mode_finds_a_race_and_leaves_the_file_as_it_was() {
    let folder = Folder::new(&[("race.wgsl", program::RACE), ("x.txt", "before")]);
    let ended = folder.run("run race.wgsl --range 64 --bind x=zeros --checked --out x=x.txt");
    ended.badly(1, &["data race on `x[0]`", "wgsl:5:5"]);
    let text = std::fs::read_to_string(folder.path("x.txt")).expect("it is there");
    assert_eq!(text, "before");
    folder
        .run("run race.wgsl --range 64 --bind x=zeros --out x=x.txt")
        .well();
}

#[test]
fn what_nobody_reads_any_more_is_no_error() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY)]);
    let mut command = folder.command(
        "run saxpy.wgsl --range 1000000 --value a=3 --bind x=ones --bind y=iota --out y=- --report none",
    );
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let ended = program::Ended::new("a closed pipe", &output).well();
    assert_eq!(ended.err, "");
}
