//! The rows of a machine as markdown, and their geometric means.

use super::row::{Mode, Row, geometric_mean};

/// Less than this can be won is too little to say how well it was won.
const WORTH_SPLITTING: f64 = 1.2;
/// Scripted devices that were later than this say little.
const LATE: f64 = 0.02;

/// Prints the rows of one machine.
pub fn print(machine: &str, rows: &[&Row]) {
    println!("\n### {machine}\n");
    println!(
        "| workload | mode | n | best alone | ms | split, ms | speedup | S_max | efficiency | settled | balance | regret | \
         over model | best fixed | shares | whole | overhead | moved |"
    );
    println!("|---{}|", "|---".repeat(17));
    for row in rows {
        let best = row.best_single();
        let mark = if row.late > LATE { " (late)" } else { "" };
        println!(
            "| {}{mark} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.workload,
            row.mode.name(),
            row.iterations,
            short(&best.device),
            row.best_single_seconds * 1e3,
            row.split_seconds * 1e3,
            row.speedup(),
            row.s_max(),
            row.efficiency(),
            ratio(row.settled_efficiency()),
            ratio(row.balance),
            ratio(row.regret()),
            ratio(row.over_model()),
            row.best_fixed()
                .map_or("-".to_owned(), |fixed| shares(&fixed.shares)),
            shares(
                &row.devices
                    .iter()
                    .map(|device| device.share)
                    .collect::<Vec<_>>()
            ),
            row.whole_iterations,
            row.overhead
                .map_or("-".to_owned(), |part| format!("{:.1} %", part * 100.0)),
            bytes(row.bytes_moved),
        );
    }
    println!();
    for mode in Mode::ALL {
        let rows = rows.iter().filter(|row| row.mode == mode);
        let rows: Vec<_> = rows.filter(|row| row.s_max() >= WORTH_SPLITTING).collect();
        let mean = |number: &dyn Fn(&Row) -> Option<f64>| {
            let numbers: Vec<_> = rows.iter().filter_map(|row| number(row)).collect();
            ratio(geometric_mean(&numbers))
        };
        println!(
            "- {}, {} workloads with S_max of {WORTH_SPLITTING} at least: speedup {}, S_max {}, efficiency {}, settled {}, \
             balance {}, regret {}, over model {}",
            mode.name(),
            rows.len(),
            mean(&|row| Some(row.speedup())),
            mean(&|row| Some(row.s_max())),
            mean(&|row| Some(row.efficiency())),
            mean(&Row::settled_efficiency),
            mean(&|row| row.balance),
            mean(&Row::regret),
            mean(&Row::over_model),
        );
    }
}

/// The first word of a device's name.
fn short(device: &str) -> &str {
    device.split_whitespace().next().unwrap_or(device)
}

fn ratio(number: Option<f64>) -> String {
    number.map_or("-".to_owned(), |number| format!("{number:.2}"))
}

/// In hundredths.
fn shares(shares: &[f64]) -> String {
    let sum: f64 = shares.iter().sum();
    let hundredths = shares
        .iter()
        .map(|share| format!("{:.0}", share / sum * 100.0));
    hundredths.collect::<Vec<_>>().join(":")
}

fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        bytes if bytes >= 1e3 => format!("{:.1} kB", bytes / 1e3),
        bytes => format!("{bytes} B"),
    }
}
