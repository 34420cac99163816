//! How deep a source nests, before anything is parsed.
//!
//! Parsers, validators and drivers call themselves once for each level, and end the program where their stack does. This
//! counts what makes levels, in one pass over the text; whether the text is WGSL it leaves to the parser.
//!
//! Invariant: no source that passes nests its terms or its blocks deeper than [`MOST`].

use super::KernelError;

/// The deepest nesting that is parsed: half of what [`deep`](crate::stack::deep) has room for at the least, whatever nests.
pub(super) const MOST: usize = 5_000;

/// Refuses a source that nests deeper than [`MOST`].
///
/// Brackets of any kind make a level, and so does each operator of a term, as `a + b + c` is `(a + b) + c`, and each `else` of
/// a chain. What an operator's signs are counts one by one, so the count is an upper bound.
pub(super) fn check(source: &str) -> Result<(), KernelError> {
    // What is open: of each level, what was counted in it since a statement or an element began.
    let mut open = vec![0];
    let mut depth = 0;
    let mut rest = Rest(source);
    while let Some(token) = rest.next() {
        let last = open.len() - 1;
        match token {
            "(" | "[" | "{" => {
                open.push(0);
                depth += 1;
            }
            ")" | "]" | "}" if last > 0 => {
                depth -= 1 + open.pop().unwrap_or(0);
                let is_chain = token != "}" || rest.clone().next() == Some("else");
                if !is_chain {
                    depth -= std::mem::take(&mut open[last - 1]);
                }
            }
            ";" | "," => depth -= std::mem::take(&mut open[last]),
            "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^" | "<" | ">" | "=" | "!" | "~"
            | "else" => {
                open[last] += 1;
                depth += 1;
            }
            _ => {}
        }
        if depth > MOST {
            let line = source[..source.len() - rest.0.len()].matches('\n').count() + 1;
            return Err(KernelError::TooDeep { line, most: MOST });
        }
    }
    Ok(())
}

/// What is still to be read.
#[derive(Clone)]
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// The next word, or the next sign; comments and spaces are passed over.
    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start();
            if self.0.starts_with("//") {
                let ends = |c: char| matches!(c, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
                self.0 = self.0.find(ends).map_or("", |end| &self.0[end..]);
            } else if self.0.starts_with("/*") {
                self.0 = after_comment(self.0);
            } else {
                break;
            }
        }
        let first = self.0.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = match is_word(first) {
            true => self.0.find(|c| !is_word(c)).unwrap_or(self.0.len()),
            false => first.len_utf8(),
        };
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(token)
    }
}

/// What comes after the comment that the text begins with. Comments nest in WGSL.
fn after_comment(text: &str) -> &str {
    let mut open = 0_usize;
    let mut rest = text;
    while let Some(at) = rest.find(['/', '*']) {
        let here = &rest[at..];
        let step = if here.starts_with("/*") {
            open += 1;
            2
        } else if here.starts_with("*/") {
            open -= 1;
            2
        } else {
            1
        };
        rest = &here[step..];
        if open == 0 {
            return rest;
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(source: &str) -> bool {
        check(source).is_err()
    }

    #[test]
    fn what_makes_levels_is_counted() {
        for (before, level, after) in [
            ("x = a", " + b", ""),
            ("x = a", " && b", ""),
            ("x = ", "!", "a"),
            ("x = ", "(", ""),
            ("", "{", ""),
            ("if a {}", " else if b { c; }", ""),
            ("x = ", "f(a, b + ", ""),
            ("x = a", "/* + + ; */- b", ""),
        ] {
            let source = |levels| format!("{before}{}{after}", level.repeat(levels));
            assert!(is_refused(&source(MOST + 1)), "{level}");
            assert!(!is_refused(&source(MOST / 4)), "{level}");
        }
    }

    #[test]
    fn what_stands_side_by_side_is_not() {
        for beside in [
            "x = a + b;",
            "f(a + b, -c);",
            "if a { b; } else { c; }",
            "if a { b + c; } if d == e { }",
            "array(-1.0, 2.0 * 3.0),",
            "fn f(a: array<u32, 4>) -> u32 { return a[0] + 1u; }",
            "struct S { a: u32, b: array<vec4<f32>, 2> }",
            "// a + b + c\n",
            "/* { /* ( */ { */",
        ] {
            assert!(!is_refused(&beside.repeat(MOST + 1)), "{beside}");
        }
    }

    #[test]
    fn what_is_hidden_behind_a_comment_is_counted() {
        for end in ["\n", "\r", "\u{85}", "\u{2028}"] {
            let source = format!("x = a // ;{end}") + &"+ b".repeat(MOST + 1);
            assert!(is_refused(&source), "{end:?}");
        }
        let open = "x = /* /* */ */ a".to_owned() + &" + b".repeat(MOST + 1);
        assert!(is_refused(&open));
    }

    #[test]
    fn the_line_is_told() {
        let source = "\n\nx = a".to_owned() + &" + b".repeat(MOST + 1);
        let error = check(&source).expect_err("it is too deep");
        assert_eq!(
            error,
            KernelError::TooDeep {
                line: 3,
                most: MOST
            }
        );
    }
}
