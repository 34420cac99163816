//! Processes that run kernels, each in an environment of its own.
//!
//! Starts them when they are needed, hands on requests and answers, and ends those that take too long.
//!
//! Invariant: every request is answered, whatever becomes of the process.

use crate::worker::DEVICES;
use std::io::{BufRead, BufReader, Result, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A kernel that takes longer is taken for one that doesn't end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that runs kernels.
pub(crate) struct Process {
    devices: &'static str,
    variable: Option<(&'static str, &'static str)>,
    running: Option<Running>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

/// What came of a request.
pub(crate) enum Answer {
    /// What the worker says: a word, and others after it.
    Said(String, String),
    /// Nothing, for longer than anybody waits.
    Endless,
    /// The process is gone.
    Crashed(String),
}

impl Process {
    /// A process for these devices, with a variable of the environment set for it.
    pub(crate) fn new(
        devices: &'static str,
        variable: Option<(&'static str, &'static str)>,
    ) -> Self {
        Self {
            devices,
            variable,
            running: None,
        }
    }

    /// The compute entry points of a file.
    pub(crate) fn list(&mut self, file: &Path) -> Answer {
        self.ask(&format!("list\t{}", file.display()))
    }

    /// Runs one of them; what it wrote goes to `out`.
    pub(crate) fn run(&mut self, file: &Path, entry: &str, round: u32, out: &Path) -> Answer {
        let (file, out) = (file.display(), out.display());
        self.ask(&format!("run\t{file}\t{entry}\t{round}\t{out}"))
    }

    fn ask(&mut self, request: &str) -> Answer {
        self.try_ask(request)
            .unwrap_or_else(|error| Answer::Crashed(error.to_string()))
    }

    fn try_ask(&mut self, request: &str) -> Result<Answer> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.start()?,
        };
        writeln!(running.input, "{request}")?;
        match running.answers.recv_timeout(PATIENCE) {
            Ok(answer) => {
                self.running = Some(running);
                let (word, words) = answer.split_once('\t').unwrap_or((&answer, ""));
                Ok(Answer::Said(word.to_owned(), words.to_owned()))
            }
            Err(RecvTimeoutError::Timeout) => {
                running.child.kill()?;
                running.child.wait()?;
                Ok(Answer::Endless)
            }
            Err(RecvTimeoutError::Disconnected) => {
                Ok(Answer::Crashed(running.child.wait()?.to_string()))
            }
        }
    }

    fn start(&self) -> Result<Running> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(DEVICES, self.devices)
            .envs(self.variable)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("a process without pipes"));
        };
        let (lines, answers) = channel();
        std::thread::spawn(move || {
            // Drivers may write lines of their own.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let answer = line.strip_prefix("=>").map(ToOwned::to_owned);
                if answer.is_some_and(|answer| lines.send(answer).is_err()) {
                    break;
                }
            }
        });
        Ok(Running {
            child,
            input,
            answers,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let Running {
                mut child, input, ..
            } = running;
            // It ends when there is nothing more to read.
            drop(input);
            let _ = child.wait();
        }
    }
}
