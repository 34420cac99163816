//! Lines of a source, as errors show them.
//!
//! Naga renders them; what is far from what is marked is left out here, so that a line of a minified source doesn't fill
//! the screen.
//!
//! Invariant: what is marked stays under its marks, and what is said of it stays whole.

/// The widest line that is shown whole, in characters, and how many before the first mark stay where it isn't.
const WIDEST: usize = 160;
const BEFORE: usize = 40;

/// The lines of a source around a place, with their numbers.
pub(crate) fn excerpt(source: &str, place: naga::Span) -> String {
    /// Says nothing: what is wrong is said by whoever shows the excerpt.
    #[derive(Debug, thiserror::Error)]
    #[error("")]
    struct Here;
    let marked = naga::WithSpan::new(Here).with_span(place, "here");
    let text = marked.emit_to_string(source);
    // The first line is for the message.
    let lines = text.split_once('\n').map_or("", |(_, lines)| lines);
    narrowed(lines.trim_end())
}

/// A rendered excerpt, with of each long line of the source what is around its first mark.
pub(crate) fn narrowed(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut narrow = String::with_capacity(text.len().min(4096));
    // Where the last line of the source was cut.
    let mut window = None;
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            narrow.push('\n');
        }
        let Some((gutter, body)) = line.split_once("│ ") else {
            narrow.push_str(line);
            continue;
        };
        let is_source = gutter.trim_end().ends_with(|c: char| c.is_ascii_digit());
        if is_source {
            window = (body.chars().count() > WIDEST).then(|| {
                let marks = lines.get(i + 1).and_then(|next| next.split_once("│ "));
                let marks = marks.map_or("", |(_, marks)| marks);
                let column = marks.chars().take_while(|c| !is_mark(*c)).count();
                // A line that has no mark is cut at its end.
                let column = if column == marks.chars().count() {
                    0
                } else {
                    column
                };
                column.saturating_sub(BEFORE)
            });
        }
        narrow.push_str(gutter);
        narrow.push_str("│ ");
        match window {
            None => narrow.push_str(body),
            Some(first) if is_source => push_source(&mut narrow, body, first),
            Some(first) => push_marks(&mut narrow, body, first),
        }
    }
    narrow
}

fn is_mark(c: char) -> bool {
    c == '^' || c == '-'
}

fn push_source(narrow: &mut String, body: &str, first: usize) {
    let mut rest = body.chars().skip(first);
    // In place of the first character that is left out, so that all others stand where the marks of them do.
    if first > 0 {
        rest.next();
        narrow.push('…');
    }
    narrow.extend(rest.by_ref().take(WIDEST));
    if rest.next().is_some() {
        narrow.push('…');
    }
}

/// Marks reach no farther than their line does; what is said behind them stays whole.
fn push_marks(narrow: &mut String, body: &str, first: usize) {
    let end = body.chars().position(|c| c != ' ' && !is_mark(c));
    let end = end.unwrap_or(body.chars().count());
    let marks = body.chars().take(end).skip(first);
    narrow.extend(marks.take(WIDEST));
    let said = body.chars().skip(end);
    if end < first {
        // Nothing of it is in sight.
        narrow.push(' ');
    } else if end - first > WIDEST {
        narrow.push(' ');
    }
    narrow.extend(said);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789";

    #[test]
    fn a_long_line_is_cut_to_what_is_around_its_mark() {
        let line = LONG.repeat(100);
        let rendered = format!("  ┌─ wgsl:7:501\n  │\n7 │ {line}\n  │ {:500}^^^ here\n", "");
        let shown = narrowed(&rendered);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[..2], ["  ┌─ wgsl:7:501", "  │"]);
        let (source, marks) = (lines[2], lines[3]);
        assert!(source.chars().count() < WIDEST + 10, "{source}");
        assert!(source.contains('…') && source.ends_with('…'), "{source}");
        let column = marks.chars().position(|c| c == '^').expect("it is marked");
        let marked: String = source.chars().skip(column).take(3).collect();
        assert_eq!(marked, "012");
        assert!(marks.ends_with("^^^ here"), "{marks}");
    }

    #[test]
    fn what_is_marked_at_length_is_cut_and_told_whole() {
        let line = LONG.repeat(100);
        let rendered = format!("7 │ {line}\n  │ {} here", "^".repeat(1000));
        let shown = narrowed(&rendered);
        assert!(
            shown.lines().all(|line| line.chars().count() < WIDEST + 12),
            "{shown}"
        );
        assert!(shown.ends_with("^ here"), "{shown}");
    }

    #[test]
    fn lines_that_fit_stay_as_they_are() {
        let rendered = "  ┌─ wgsl:1:2\n  │\n1 │ let x = 1;\n  │  ^^ here\n  │\n  = note: so";
        assert_eq!(narrowed(rendered), rendered);
    }
}
