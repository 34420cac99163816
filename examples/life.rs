//! Conway's Game of Life on a torus, with the traces of what has lived.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Colour, DUSK, Example, Outcome, Picture, Show, mix};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Board {
    width: u32,
    height: u32,
}

const GLIDER: [(usize, usize); 5] = [(1, 0), (2, 1), (0, 2), (1, 2), (2, 2)];

fn main() -> Outcome {
    let mut show = Example::new(
        "life",
        "The Game of Life on a torus, from a random soup in its middle.",
    )
    .size(
        480,
        64,
        "columns of the board; it has two thirds as many rows",
    )
    .steps(1500, "generations")
    .seed(1)
    .draws(0.0) // whole numbers are the same everywhere
    .open()?;
    let kernel = Kernel::from_wgsl(include_str!("../shaders/life.wgsl"))?;
    let board = |width: usize| Board {
        width: width as u32,
        height: (width * 2 / 3) as u32,
    };

    // A glider comes one cell further along the diagonal every four generations; on this board it crosses both edges.
    let small = board(60);
    let glider = |moved: usize| {
        let mut cells = vec![0; 60 * 40];
        GLIDER
            .iter()
            .for_each(|(x, y)| cells[(y + moved) % 40 * 60 + (x + moved) % 60] = 1);
        cells
    };
    let end = live(&mut show, &kernel, small, &glider(0), 0..280)?;
    let is_moved = end
        .iter()
        .zip(glider(280 / 4))
        .all(|(found, right)| (*found > 0) == (right > 0));
    show.check("a glider moves one cell in four generations", is_moved);

    // Against plain Rust, on a board that is a soup as a whole.
    let mut random = fastrand::Rng::with_seed(show.options.seed);
    let soup: Vec<i32> = (0..60 * 40).map(|_| random.i32(0..2)).collect();
    let found = live(&mut show, &kernel, small, &soup, 0..100)?;
    let right = (0..100).fold(soup, |cells, _| generation(small, &cells));
    show.check(
        "each of 100 generations is as in plain Rust",
        found == right,
    );

    let large = board(show.options.size);
    let (width, height) = (large.width as usize, large.height as usize);
    let cell = |i: usize| {
        let [x, y] =
            [(i % width, width), (i / width, height)].map(|(at, of)| at as f32 / of as f32 - 0.5);
        i32::from(random.f32() < 0.35 && (1.5 * x).hypot(y) < 0.3)
    };
    let soup: Vec<i32> = (0..width * height).map(cell).collect();
    let steps = show.steps();
    let end = live(&mut show, &kernel, large, &soup, steps)?;
    show.number("alive", end.iter().filter(|cell| **cell > 0).count());
    show.number("ever alive", end.iter().filter(|cell| **cell != 0).count());
    show.picture(draw(&end, width))?;
    show.end()
}

/// Generations on all devices.
fn live(
    show: &mut Show,
    kernel: &Kernel,
    board: Board,
    start: &[i32],
    steps: impl Iterator<Item = usize>,
) -> Outcome<Vec<i32>> {
    let runtime = show.runtime.clone();
    let (mut old, mut next) = (
        runtime.buffer_from(start)?,
        runtime.buffer::<i32>(start.len())?,
    );
    for step in steps {
        show.frame(step, || {
            Ok(draw(&runtime.read(&old)?, board.width as usize))
        })?;
        let dispatch = runtime.dispatch(kernel, [board.width as usize, board.height as usize]);
        show.submit(
            dispatch
                .value("board", board)
                .bind("old", &old)
                .bind("next", &next),
        )?;
        std::mem::swap(&mut old, &mut next);
    }
    show.wait()?;
    Ok(runtime.read(&old)?)
}

/// A generation, cell by cell.
fn generation(board: Board, cells: &[i32]) -> Vec<i32> {
    let (width, height) = (board.width as usize, board.height as usize);
    let next = |i: usize| {
        let around = (0..9).map(|k| {
            let (x, y) = (
                i % width + width + k % 3 - 1,
                i / width + height + k / 3 - 1,
            );
            cells[y % height * width + x % width]
        });
        let alive = around.filter(|cell| *cell > 0).count();
        match (cells[i] > 0, alive) {
            (true, 3 | 4) => cells[i] + 1,
            (false, 3) => 1,
            (true, _) => -1,
            (false, _) => cells[i] - i32::from(cells[i] < 0),
        }
    };
    (0..cells.len()).map(next).collect()
}

/// What lives is bright, what died fades.
fn draw(cells: &[i32], width: usize) -> Picture {
    let colour = |cell: i32| -> Colour {
        match cell {
            1.. => [0.93, 1.0, 0.97],
            0 => mix(DUSK, 0.0),
            _ => mix(DUSK, 0.12 + 0.62 * (cell as f32 / 150.0).exp()),
        }
    };
    let zoom = 640_usize.div_ceil(width);
    Picture::new(width * zoom, cells.len() / width * zoom, |x, y| {
        colour(cells[y / zoom * width + x / zoom])
    })
}
