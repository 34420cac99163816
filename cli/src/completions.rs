//! `divvy completions`: what a shell needs to complete the command line.

use crate::failure::Outcome;
use crate::output::print;
use clap::{Args, Command};
use clap_complete::{Shell, generate};

const EXAMPLES: &str = "\
Examples:
  divvy completions bash > ~/.local/share/bash-completion/completions/divvy
  divvy completions zsh > ~/.zfunc/_divvy        # with fpath+=~/.zfunc before compinit in .zshrc
  divvy completions fish > ~/.config/fish/completions/divvy.fish";

/// Prints a script with which a shell completes the command line
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

pub(crate) fn completions(options: &Completions, mut command: Command) -> Outcome {
    let mut script = Vec::new();
    generate(options.shell, &mut command, "divvy", &mut script);
    print(script)
}
