//! Runs the program in a folder of its own, with nothing of the environment's settings.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// `y = a x + y`.
pub const SAXPY: &str = "
@group(0) @binding(0) var<uniform> a: f32;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&y) { y[id.x] = a * x[id.x] + y[id.x]; }
}";

/// Every invocation of a workgroup writes the same element.
pub const RACE: &str = "
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64)
fn race(@builtin(global_invocation_id) id: vec3<u32>) {
    x[id.x / 64u] = id.x;
}";

/// A folder with files, and the program to be run in it.
pub struct Folder {
    folder: TempDir,
}

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("it can be written");
        }
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Names of the files there are.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("it can be listed");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// The program with arguments set apart by blanks.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_divvy"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DIVVY_")) {
            command.env_remove(name);
        }
        command
            // Without it a layer of Mesa complains of a missing desktop, and its lines begin with `error:` too.
            .env("NODEVICE_SELECT", "1")
            .env("DIVVY_DEVICES", "cpu")
            .env("DIVVY_PROFILE_DIR", self.path("profile"));
        command
    }

    pub fn run(&self, arguments: &str) -> Ended {
        let output = self.command(arguments).output().expect("it can be started");
        Ended::new(arguments, &output)
    }
}

/// What became of a run.
pub struct Ended {
    arguments: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn new(arguments: &str, output: &Output) -> Self {
        Self {
            arguments: arguments.to_owned(),
            code: output.status.code().expect("no signal ended it"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless all went well.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}: {}{}", self.arguments, self.out, self.err);
        self
    }

    /// Fails unless it ended with this code and one line that begins with `error:` and has these parts in it, or in the
    /// hint below.
    #[track_caller]
    pub fn badly(&self, code: i32, parts: &[&str]) {
        let (arguments, err) = (&self.arguments, &self.err);
        assert_eq!(self.code, code, "{arguments}: {}{err}", self.out);
        let lines: Vec<_> = err.lines().collect();
        let errors = lines.iter().filter(|line| line.starts_with("error:"));
        assert_eq!(errors.count(), 1, "{arguments}: {err}");
        assert!(!err.contains("panicked"), "{arguments}: {err}");
        for part in parts {
            assert!(
                err.contains(part),
                "{part} in the message of {arguments}: {err}"
            );
        }
    }
}

/// A `.npy` file of `f32`.
pub fn write_npy(path: &Path, shape: &[u64], numbers: &[f32]) {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::<f32>::new()
        .default_dtype()
        .shape(shape)
        .writer(&mut bytes)
        .begin_nd()
        .expect("it can be begun");
    writer
        .extend(numbers.iter().copied())
        .expect("it is written");
    writer.finish().expect("it is whole");
    std::fs::write(path, bytes).expect("it can be written");
}

/// The shape and numbers of a `.npy` file.
pub fn read_npy<T: npyz::Deserialize>(path: &Path) -> (Vec<u64>, Vec<T>) {
    let bytes = std::fs::read(path).expect("it is there");
    let npy = npyz::NpyFile::new(bytes.as_slice()).expect("it is a .npy");
    let shape = npy.shape().to_vec();
    (shape, npy.into_vec().expect("it is of that type"))
}
