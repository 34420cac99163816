//! `divvy run` with input that is not as it should be: one line that names the thing and the way out.

mod program;

use program::{Folder, SAXPY, write_npy};

const RUN: &str = "run saxpy.wgsl --range 8";

fn folder() -> Folder {
    Folder::new(&[
        ("saxpy.wgsl", SAXPY),
        ("text.npy", "no numbers"),
        ("text.png", "no picture"),
    ])
}

#[test]
fn what_is_missing_is_named_with_the_way_to_give_it() {
    let folder = folder();
    folder
        .run(&format!("{RUN} --value a=1 --bind x=ones"))
        .badly(2, &["`y`", "--bind y=FILE.npy"]);
    folder
        .run(&format!("{RUN} --bind x=ones --bind y=ones"))
        .badly(2, &["`a`", "--value a=1"]);
    folder.run("run saxpy.wgsl").badly(2, &["--range"]);
}

#[test]
fn unknown_names_are_told_beside_those_there_are() {
    let folder = folder();
    let all = format!("{RUN} --value a=1 --bind x=ones --bind y=ones");
    for (more, name) in [
        ("--bind z=ones", "`z`"),
        ("--value b=1", "`b`"),
        ("--out z=-", "`z`"),
        ("--constant c=1", "override c"),
        ("--entry other", "`other`"),
        ("--devices nothing_like_it", "nothing_like_it"),
        ("--value a.x=1", "`a.x`"),
    ] {
        folder.run(&format!("{all} {more}")).badly(2, &[name]);
    }
    folder
        .run("run nowhere.wgsl --range 8")
        .badly(1, &["nowhere.wgsl"]);
}

#[test]
fn a_name_of_a_foreign_format_is_no_raw_file() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY), ("photo.JPG", "any bytes at all")]);
    folder
        .run(&format!(
            "{RUN} --value a=1 --bind x=photo.JPG --bind y=ones"
        ))
        .badly(2, &["photo.JPG", ".png for pictures"]);
    folder
        .run(&format!(
            "{RUN} --value a=1 --bind x=ones --bind y=ones --out y=y.npz"
        ))
        .badly(2, &["y.npz", ".npy for arrays"]);
    assert!(!folder.path("y.npz").exists());
}

#[test]
fn values_that_do_not_fit_are_named_with_what_would() {
    let kernel = "
    struct Params { count: u32, wind: vec2<f32> }
    override tile: u32;
    @group(0) @binding(0) var<uniform> params: Params;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(tile) fn one() { y[0] = f32(params.count) + params.wind.x; }
    @compute @workgroup_size(1) fn two() { y[0] = 1.0; }";
    let folder = Folder::new(&[("k.wgsl", kernel)]);
    let run = |more: &str| folder.run(&format!("run k.wgsl --range 1 {more}"));
    run("").badly(2, &["`one`, `two`", "--entry one"]);
    run("--entry one").badly(2, &["override tile", "--constant tile=VALUE"]);
    let one = |more: &str| run(&format!("--entry one --constant tile=1 {more}"));
    one("--value params.count=1").badly(2, &["`params.wind.x`", "--value params.wind.x=1"]);
    one("--value params.count=-1").badly(2, &["`params.count`", "u32", "`-1`"]);
    one("--value params.count=1.5").badly(2, &["`params.count`", "u32"]);
    one("--value params.wind=1").badly(2, &["`params.wind`", "2 numbers", "1 are given"]);
    one("--value params.wind={\"x\":").badly(2, &["JSON"]);
    one("--value params").badly(2, &["NAME="]);
    one("--bind params=ones").badly(2, &["uniform", "--value params=1"]);
    run("--entry one --constant tile=much").badly(2, &["`tile`", "`much`"]);
    run("--entry one --constant tile=-1").badly(2, &["override tile", "u32"]);
}

#[test]
fn ranges_that_cannot_be_run_are_refused() {
    let folder = folder();
    for range in ["0", "8x0", "many", "1x2x3x4", "-1", "8x"] {
        let ended = folder.run(&format!("run saxpy.wgsl --range={range} --value a=1"));
        ended.badly(2, &["1920x1080"]);
    }
}

#[test]
fn sources_that_are_none_are_named() {
    let folder = folder();
    for source in [
        "zeross",
        "random:x",
        "zeros:none",
        "zeros:0",
        "random:1:8:-1",
    ] {
        let ended = folder.run(&format!(
            "{RUN} --value a=1 --bind x=ones --bind y={source}"
        ));
        ended.badly(2, &["`y`", source, "random:SEED"]);
    }
    let ended = folder.run(&format!(
        "{RUN} --value a=1 --bind x=ones --bind y=nowhere.npy"
    ));
    ended.badly(1, &["nowhere.npy"]);
}

#[test]
fn files_that_cannot_be_what_they_are_called_are_refused() {
    let folder = folder();
    let run = |source: &str| {
        folder.run(&format!(
            "{RUN} --value a=1 --bind x=ones --bind y={source}"
        ))
    };
    run("text.npy").badly(1, &["text.npy", ".npy file"]);
    run("text.png").badly(1, &["text.png", ".png file"]);
    write_npy(&folder.path("y.npy"), &[8], &[1.0; 8]);
    let whole = std::fs::read(folder.path("y.npy")).expect("it is there");
    for end in [4, 60, whole.len() - 3] {
        std::fs::write(folder.path("cut.npy"), &whole[..end]).expect("it can be written");
        run("cut.npy").badly(1, &["cut.npy"]);
    }
    std::fs::write(folder.path("odd.bin"), [0; 7]).expect("it can be written");
    run("odd.bin").badly(1, &["odd.bin", "7 bytes", "f32"]);
    std::fs::write(folder.path("none.bin"), []).expect("it can be written");
    run("none.bin").badly(1, &["none.bin", "at least 4 bytes"]);
}

/// Changes bytes of files that are whole, one at a time.
#[test]
fn no_broken_file_ends_the_program_in_any_other_way() {
    let folder = folder();
    let all = format!("{RUN} --value a=1 --bind x=ones --report none");
    write_npy(&folder.path("whole.npy"), &[8], &[1.0; 8]);
    folder
        .run("run saxpy.wgsl --range 4x2 --value a=1 --bind x=ones --bind y=ones --out y=whole.png")
        .well();
    for (name, step) in [("whole.npy", 5), ("whole.png", 3)] {
        let whole = std::fs::read(folder.path(name)).expect("it is there");
        let broken = format!("broken.{}", &name[6..]);
        for at in (0..whole.len()).step_by(step) {
            for value in [0x00, b'9', 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                std::fs::write(folder.path(&broken), bytes).expect("it can be written");
                let ended = folder.run(&format!("{all} --bind y={broken}"));
                if ended.code != 0 {
                    ended.badly(1, &[&broken]);
                }
            }
        }
    }
}

#[test]
fn a_number_of_elements_that_the_type_contradicts_is_refused() {
    let kernel = SAXPY
        .replace("y: array<f32>", "y: array<f32, 16>")
        .replace("arrayLength(&y)", "16u");
    let folder = Folder::new(&[("k.wgsl", &kernel)]);
    let all = "run k.wgsl --range 16 --value a=1 --bind x=ones --bind y=ones";
    folder
        .run(&format!("{all}:10"))
        .badly(2, &["`y`", "16 elements"]);
    folder.run(&format!("{all}:4x4 --out y=y.npy")).well();
    assert_eq!(program::read_npy::<f32>(&folder.path("y.npy")).0, [4, 4]);
}

#[test]
fn arrays_of_another_dtype_or_shape_are_refused() {
    let kernel = SAXPY.replace("array<f32>", "array<vec3<f32>>");
    let integers = SAXPY
        .replace("array<f32>", "array<u32>")
        .replace("a *", "u32(a) *");
    let folder = Folder::new(&[("vec.wgsl", &kernel), ("int.wgsl", &integers)]);
    write_npy(&folder.path("y.npy"), &[8], &[1.0; 8]);
    let more = "--range 8 --value a=1 --bind x=ones --bind y=y.npy";
    folder
        .run(&format!("run int.wgsl {more}"))
        .badly(1, &["<f4", "uint32", "astype"]);
    folder
        .run(&format!("run vec.wgsl {more}"))
        .badly(1, &["8 numbers", "vec3<f32>", "3 each"]);
}

#[test]
fn a_file_of_another_length_than_the_type_fixes_is_refused() {
    let kernel = SAXPY.replace("x: array<f32>", "x: array<f32, 8>");
    let folder = Folder::new(&[("k.wgsl", &kernel)]);
    let run = |source: &str| {
        folder.run(&format!(
            "run k.wgsl --range 8 --value a=1 --bind y=ones --bind x={source}"
        ))
    };
    for count in [0_usize, 7, 9] {
        write_npy(&folder.path("x.npy"), &[count as u64], &vec![1.0; count]);
        let told = format!("{count} elements");
        run("x.npy").badly(1, &["x.npy", &told, "fixes 8"]);
    }
    for bytes in [28, 36] {
        std::fs::write(folder.path("x.bin"), vec![0; bytes]).expect("it can be written");
        run("x.bin").badly(1, &["x.bin", &bytes.to_string(), "32 bytes"]);
    }
    write_npy(&folder.path("x.npy"), &[8], &[1.0; 8]);
    run("x.npy").well();
    let folder = self::folder();
    write_npy(&folder.path("none.npy"), &[0], &[]);
    folder
        .run(&format!(
            "{RUN} --value a=1 --bind x=ones --bind y=none.npy"
        ))
        .badly(1, &["none.npy", "no elements"]);
}

/// Copies a picture whose rows are as long as the range's.
const COPY: &str = "
@group(0) @binding(0) var<uniform> size: vec2<u32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> b: array<f32>;
@compute @workgroup_size(8, 8)
fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < size.x && id.y < size.y {
        let i = id.y * size.x + id.x;
        b[i] = a[i] + table[id.x % arrayLength(&table)];
    }
}";

#[test]
fn what_is_shorter_than_the_kernel_goes_is_warned_of_and_a_table_is_not() {
    let folder = Folder::new(&[("copy.wgsl", COPY), ("saxpy.wgsl", SAXPY)]);
    folder
        .run("run copy.wgsl --range 4x4 --value size=range.x,range.y --bind a=ones --bind table=zeros:3 --out b=small.png")
        .well();
    let copy = "run copy.wgsl --range 16x16 --value size=range.x,range.y --bind table=zeros:3";
    let ended = folder.run(&format!("{copy} --bind a=small.png")).well();
    let lines: Vec<_> = ended.err.lines().collect();
    assert_eq!(lines.len(), 1, "{}", ended.err);
    assert!(
        lines[0].starts_with("warning: `a` has 4x4 elements") && lines[0].contains("16x16"),
        "{}",
        ended.err
    );
    let whole = folder.run(&format!("{copy} --bind a=ones")).well();
    assert_eq!(whole.err, "");
    write_npy(&folder.path("x.npy"), &[7], &[1.0; 7]);
    let ended = folder
        .run(&format!("{RUN} --value a=1 --bind x=x.npy --bind y=ones"))
        .well();
    assert!(ended.err.contains("`x` has 7 elements"), "{}", ended.err);
}

#[test]
fn numbers_that_the_type_has_no_room_for_are_refused() {
    let folder = folder();
    let all = format!("{RUN} --bind x=ones --bind y=ones --out y=- --report none");
    for huge in ["1e39", "-1e999"] {
        let ended = folder.run(&format!("{all} --value a={huge}"));
        ended.badly(2, &["`a`", huge, "f32"]);
    }
    let ended = folder.run(&format!("{all} --value a=-inf")).well();
    assert!(ended.out.starts_with("-inf\n"), "{}", ended.out);
    for nothing in ["--bind x=", "--out y=", "--value a="] {
        folder
            .run(&format!("{RUN} {nothing}"))
            .badly(2, &[nothing.rsplit(' ').next().unwrap_or(nothing), "="]);
    }
    folder
        .run("run saxpy.wgsl --range -5")
        .badly(2, &["'-5'", "1920x1080"]);
}

#[test]
fn halves_need_an_even_number() {
    let kernel = "enable f16;
    @group(0) @binding(0) var<storage, read_write> y: array<f16>;
    @compute @workgroup_size(64) fn halves(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < arrayLength(&y) { y[id.x] = 1.0h; }
    }";
    let folder = Folder::new(&[("halves.wgsl", kernel)]);
    folder
        .run("run halves.wgsl --range 5 --bind y=zeros")
        .badly(2, &["`y`", "5 elements", "y=zeros:6"]);
    let ended = folder.run("run halves.wgsl --range 5 --bind y=zeros:6 --out y=- --report none");
    assert_eq!(ended.well().out, "1\n".repeat(6));
}

#[test]
fn where_nothing_can_be_written_nothing_is_run() {
    let folder = folder();
    let all = format!("{RUN} --value a=1 --bind x=ones --bind y=ones");
    std::fs::create_dir(folder.path("deep")).expect("it can be made");
    let kept = folder.path("kept.npy");
    std::fs::write(&kept, "before").expect("it can be written");
    let mut permissions = std::fs::metadata(&kept).expect("it is there").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&kept, permissions).expect("they can be set");
    for (target, why) in [
        ("nowhere/y.npy", "can't write nowhere/y.npy: No such file"),
        ("deep", "directory"),
        ("kept.npy", "permission denied"),
        ("y.png", "640x480"),
    ] {
        let ended = folder.run(&format!("{all} --out y={target}"));
        assert!(!ended.err.contains(".part"), "{}", ended.err);
        ended.badly(1, &[why]);
        assert!(!folder.path("profile").exists(), "{target}: it ran");
    }
    assert_eq!(std::fs::read(&kept).expect("it is there"), b"before");
}

#[test]
fn a_benchmark_refuses_what_it_could_not_write_or_would_not_heed() {
    let folder = folder();
    let own = "bench saxpy.wgsl --range 64 --value a=0 --bind x=ones --bind y=ones --rounds 1";
    folder
        .run(&format!("{own} --html nowhere/b.html"))
        .badly(1, &["nowhere/b.html"]);
    folder
        .run(&format!("{own} --html b --json ./b"))
        .badly(2, &["`--json` and `--html`", "a file of its own"]);
    for option in ["--range 64", "--bind x=ones", "--value a=1", "--entry f"] {
        let name = option.split(' ').next().unwrap_or(option);
        folder
            .run(&format!("bench suite --quick {option}"))
            .badly(2, &[name, "the suite has its own"]);
    }
    let ended = folder.run(&format!("{own} --range 1000000000000"));
    assert!(ended.out.contains("saxpy   64"), "{}", ended.out);
    ended.badly(1, &["1000000000000"]);
}

#[test]
fn what_is_no_picture_is_not_written_as_one() {
    let folder = folder();
    let all = format!("{RUN} --value a=1 --bind x=ones --bind y=ones --out y=y.png");
    folder.run(&all).badly(1, &["`y`", ".png", "640x480"]);
    assert!(!folder.names().contains(&"y.png".to_owned()));
}

#[test]
fn bad_wgsl_is_shown_with_its_place() {
    let folder = Folder::new(&[("bad.wgsl", "@compute fn main() { let x: u32 = 1.5; }")]);
    folder
        .run("run bad.wgsl --range 1")
        .badly(1, &["bad.wgsl", "wgsl:1:"]);
    folder
        .run("check bad.wgsl")
        .badly(1, &["bad.wgsl", "wgsl:1:"]);
}

#[test]
fn a_kernel_that_no_device_can_run_is_refused() {
    let kernel = SAXPY.replace("@workgroup_size(64)", "@workgroup_size(64, 1, 1)");
    let folder = Folder::new(&[("k.wgsl", &kernel)]);
    // The range has more invocations than an id of WGSL counts.
    folder
        .run("run k.wgsl --range 5000000000 --value a=1 --bind x=ones:8 --bind y=ones:8")
        .badly(2, &["5000000000"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_the_device_stays_a_device() {
    let folder = folder();
    let all = format!("{RUN} --value a=1 --bind x=ones --bind y=ones");
    folder
        .run(&format!("{all} --out y=/dev/full"))
        .badly(1, &["/dev/full", "No space left"]);
    let kind = std::fs::metadata("/dev/full")
        .expect("it is there")
        .file_type();
    assert!(!kind.is_file());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = folder
        .command(&format!("{all} --out y=-"))
        .stdout(full.expect("it can be opened"))
        .output()
        .expect("it can be started");
    program::Ended::new("a full terminal", &output).badly(1, &["No space left"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_trace_that_is_not_written_is_told() {
    let folder = folder();
    let all = format!("{RUN} --value a=1 --bind x=ones --bind y=ones --report none");
    let output = folder
        .command(&all)
        .env("DIVVY_TRACE", "/dev/full")
        .output();
    let output = output.expect("it can be started");
    assert!(output.status.success(), "the run itself went well");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<_> = told.lines().collect();
    assert!(
        matches!(lines[..], [line] if line.starts_with("warning: the trace /dev/full is not written")),
        "{told}"
    );
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = folder();
    let before = folder.names();
    let all = format!("{RUN} --value a=1 --bind x=ones --bind y=ones --out y=y.npy");
    folder
        .run(&format!("{all} --out x=nowhere/x.npy"))
        .badly(1, &["nowhere"]);
    let mut after = folder.names();
    after.retain(|name| name != "profile");
    assert_eq!(after, before, "neither the other file nor a draft");
}

/// The program waits for someone to read from a pipe, with another file ready to take its name.
#[cfg(unix)]
#[test]
fn an_interrupt_leaves_the_file_that_was_there_and_no_draft() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY), ("y.txt", "before")]);
    let pipe = folder.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("there is mkfifo").success());
    let mut child = folder
        .command("run saxpy.wgsl --range 1000000 --value a=1 --bind x=ones --bind y=ones --out y=y.txt --out x=pipe")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it can be started");
    // Opening waits for the program to open it too, and then it waits with more than the pipe holds.
    let reader = std::fs::File::open(&pipe).expect("it can be opened");
    let is_draft = |name: &String| name.starts_with(".divvy-");
    assert!(folder.names().iter().any(is_draft), "{:?}", folder.names());
    let told = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(told.expect("there is kill").success());
    let code = child.wait().expect("it ends").code();
    drop(reader);
    assert_eq!(code, Some(130));
    let text = std::fs::read_to_string(folder.path("y.txt")).expect("it is there");
    assert_eq!(text, "before");
    assert!(!folder.names().iter().any(is_draft), "{:?}", folder.names());
}

#[test]
fn two_buffers_are_not_written_to_one_file() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY), ("y.txt", "before")]);
    let all = format!("{RUN} --value a=1 --bind x=ones --bind y=ones");
    std::fs::create_dir(folder.path("deep")).expect("it can be made");
    for (first, second) in [
        ("y.txt", "./y.txt"),
        ("new.npy", "deep/../new.npy"),
        ("nowhere/new.npy", "nowhere/new.npy"),
    ] {
        let ended = folder.run(&format!("{all} --out x={first} --out y={second}"));
        ended.badly(2, &["`x` and `y`", second, "a file of its own"]);
    }
    let text = std::fs::read_to_string(folder.path("y.txt")).expect("it is there");
    assert_eq!(text, "before");
    folder
        .run(&format!("{all} --out x=x.txt --out y=y.txt --out y=y.txt"))
        .well();
}

#[cfg(unix)]
#[test]
fn a_file_that_never_ends_is_no_kernel_and_no_data() {
    let folder = Folder::new(&[]);
    folder
        .run("run /dev/zero --range 8")
        .badly(1, &["/dev/zero", "268435456 bytes"]);
    let folder = self::folder();
    folder
        .run(&format!(
            "{RUN} --value a=1 --bind x=/dev/zero --bind y=ones"
        ))
        .badly(1, &["/dev/zero", "`x`", "random:SEED"]);
}

#[test]
fn a_tolerance_that_is_no_part_is_refused() {
    let folder = folder();
    for option in ["--tolerance", "--apart"] {
        for part in ["nan", "-1", "inf", "much"] {
            let ended = folder.run(&format!("check saxpy.wgsl {option}={part}"));
            ended.badly(2, &[option, part, "number"]);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_setting_that_is_no_text_is_refused_and_a_path_needs_not_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    let all = format!("{RUN} --value a=1 --bind x=ones --bind y=ones --report none");
    let run = |setting: &str, value: &OsStr| {
        let output = folder.command(&all).env(setting, value).output();
        program::Ended::new(setting, &output.expect("it can be started"))
    };
    let no_text = OsStr::from_bytes(b"cpu\xff");
    for setting in [
        "DIVVY_DEVICES",
        "DIVVY_SPLIT",
        "DIVVY_SIMD",
        "DIVVY_CHECKED",
    ] {
        run(setting, no_text).badly(2, &[setting, "UTF-8"]);
    }
    let path = folder.path("").join(no_text);
    run("DIVVY_PROFILE_DIR", path.as_os_str()).well();
    assert!(path.join("profile.json").is_file(), "{}", path.display());
}
