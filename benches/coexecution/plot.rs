//! The rows as a picture: for each machine and mode the speedup of each workload, in front of what could be had.

use super::row::{Mode, Row};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const PANEL: (u32, u32) = (480, 260);
const TITLE_HEIGHT: u32 = 40;
const TITLE: &str = "Speedup of the split over the best device alone (blue; red where it loses over 5 %), and S_max (grey)";
/// Of the height of a panel, what is left below the bars for names.
const NAMES: f64 = 0.5;
const LOSS: f64 = 0.95;
const POSSIBLE: RGBColor = RGBColor(205, 210, 216);
const WON: RGBColor = RGBColor(38, 110, 190);
const LOST: RGBColor = RGBColor(196, 78, 60);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes the picture, a row of panels for each machine.
pub fn write(file: &Path, machines: &[String], rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let of_machine = |machine: &&String| rows.iter().any(|row| row.machine == **machine);
    let machines: Vec<_> = machines.iter().filter(of_machine).collect();
    let size = (
        PANEL.0 * Mode::ALL.len() as u32,
        PANEL.1 * machines.len() as u32 + TITLE_HEIGHT,
    );
    let root = SVGBackend::new(file, size).into_drawing_area();
    root.fill(&WHITE)?;
    let below = root.titled(TITLE, ("sans-serif", 18))?;
    let panels = below.split_evenly((machines.len(), Mode::ALL.len()));
    let places = machines
        .iter()
        .flat_map(|machine| Mode::ALL.map(|mode| (*machine, mode)));
    for ((machine, mode), panel) in places.zip(&panels) {
        let is_its = |row: &&Row| row.machine == *machine && row.mode == mode;
        let rows: Vec<_> = rows.iter().filter(is_its).collect();
        if !rows.is_empty() {
            draw(panel, &format!("{machine}, {}", mode.name()), &rows)?;
        }
    }
    root.present()?;
    Ok(())
}

/// A wide bar to `S_max`, a narrow one to the speedup, and a line where the best device alone is.
fn draw(panel: &Area<'_>, title: &str, rows: &[&Row]) -> Result<(), Box<dyn Error>> {
    let highest = rows.iter().map(|row| row.s_max().max(row.speedup()));
    let top = highest.fold(1.0, f64::max) * 1.1;
    let ends = (-0.5, rows.len() as f64 - 0.5);
    let mut chart = ChartBuilder::on(panel)
        .caption(title, ("sans-serif", 16))
        .margin(8)
        .y_label_area_size(32)
        .build_cartesian_2d(ends.0..ends.1, -NAMES * top..top)?;
    let number = |y: &f64| match *y {
        y if y < -1e-9 => String::new(),
        y => format!("{y:.1}"),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_y_mesh()
        .disable_x_axis()
        .y_label_formatter(&number)
        .y_labels(8)
        .draw()?;
    let bar = |i: usize, half: f64, height: f64, colour: RGBColor| {
        let corners = [(i as f64 - half, 0.0), (i as f64 + half, height)];
        Rectangle::new(corners, colour.filled())
    };
    for (i, row) in rows.iter().enumerate() {
        let colour = if row.speedup() < LOSS { LOST } else { WON };
        chart.draw_series([
            bar(i, 0.4, row.s_max(), POSSIBLE),
            bar(i, 0.22, row.speedup(), colour),
        ])?;
        let style = ("sans-serif", 12)
            .into_font()
            .transform(FontTransform::Rotate90)
            .color(&BLACK)
            .pos(Pos::new(HPos::Left, VPos::Center));
        let place = (i as f64, -0.03 * top);
        chart.draw_series([Text::new(row.workload.clone(), place, style)])?;
    }
    let line = vec![(ends.0, 1.0), (ends.1, 1.0)];
    chart.draw_series([PathElement::new(line, BLACK.mix(0.6))])?;
    Ok(())
}
