//! Conway's Game of Life on a torus, with the traces of what has lived.

mod show;

use divvy::Kernel;
use show::{DUSK, Example, Outcome, Picture, Show, around, mix};

/// Columns and rows.
type Board = [usize; 2];

const SMALL: Board = [60, 40];
const GLIDER: [[usize; 2]; 5] = [[1, 0], [2, 1], [0, 2], [1, 2], [2, 2]];

fn main() -> Outcome {
    let about = "The Game of Life on a torus, from a random soup in its middle.";
    let mut show = Example::new("life", about)
        .size(640, 64..=16_384, "columns, with two thirds as many rows")
        .steps(1500, "generations")
        .seed(1)
        .draws(0.0) // whole numbers are the same everywhere
        .open()?;
    let kernel = Kernel::from_wgsl(include_str!("../shaders/life.wgsl"))?;

    // A glider comes one cell further along the diagonal every four generations; here it crosses both edges.
    let glider = |moved: usize| {
        let mut cells = vec![0; SMALL[0] * SMALL[1]];
        for [x, y] in GLIDER {
            cells[(y + moved) % SMALL[1] * SMALL[0] + (x + moved) % SMALL[0]] = 1;
        }
        cells
    };
    let end = live(&mut show, &kernel, SMALL, &glider(0), 0..280)?;
    let mut pairs = end.iter().zip(glider(280 / 4));
    let is_moved = pairs.all(|(found, right)| (*found > 0) == (right > 0));
    show.check("a glider moves one cell in four generations", is_moved);

    // Against plain Rust, on a board that is a soup as a whole.
    let mut random = fastrand::Rng::with_seed(show.options.seed);
    let soup: Vec<i32> = (0..SMALL[0] * SMALL[1]).map(|_| random.i32(0..2)).collect();
    let found = live(&mut show, &kernel, SMALL, &soup, 0..100)?;
    let right = (0..100).fold(soup, |cells, _| generation(SMALL, &cells));
    show.check("100 generations are as in plain Rust", found == right);

    let [width, height] = [show.options.size, show.options.size * 2 / 3];
    let soup = (0..width * height).map(|i| {
        let x = (i % width) as f32 / width as f32 - 0.5;
        let y = (i / width) as f32 / height as f32 - 0.5;
        i32::from(random.f32() < 0.35 && (1.5 * x).hypot(y) < 0.3)
    });
    let (soup, steps) = (soup.collect::<Vec<_>>(), show.steps());
    let end = live(&mut show, &kernel, [width, height], &soup, steps)?;
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
    let mut old = runtime.buffer_from(start)?;
    let mut next = runtime.buffer::<i32>(start.len())?;
    for step in steps {
        show.frame(step, || Ok(draw(&runtime.read(&old)?, board[0])))?;
        let dispatch = runtime.dispatch(kernel, board);
        let dispatch = dispatch.value("board", board.map(|side| side as u32));
        show.submit(dispatch.bind("old", &old).bind("next", &next))?;
        std::mem::swap(&mut old, &mut next);
    }
    show.wait()?;
    Ok(runtime.read(&old)?)
}

/// A generation, cell by cell.
fn generation(board: Board, cells: &[i32]) -> Vec<i32> {
    let next = |i: usize| {
        let lives = |place: &usize| cells[*place] > 0;
        match (
            lives(&i),
            around(board, i).iter().filter(|place| lives(place)).count(),
        ) {
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
    let zoom = 640_usize.div_ceil(width);
    let height = cells.len() / width;
    Picture::new(width * zoom, height * zoom, |x, y| {
        match cells[y / zoom * width + x / zoom] {
            1.. => [0.93, 1.0, 0.97],
            0 => mix(DUSK, 0.0),
            died => mix(DUSK, 0.12 + 0.62 * (died as f32 / 150.0).exp()),
        }
    })
}
